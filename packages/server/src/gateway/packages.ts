/** The Debian packages that the gateway needs, and what for. */
export const debianPackages: readonly { readonly name: string; readonly why: string }[] = [
  { name: 'haproxy', why: 'carries every request to its app and counts it' },
]
