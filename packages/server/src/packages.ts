/** The Debian packages that the node itself needs, and what for. The gateway and the sandbox have lists of their own. */
export const debianPackages: readonly { readonly name: string; readonly why: string }[] = [
  { name: 'postgresql', why: 'keeps the ledger and everything else, in a private cluster on a unix socket' },
]
