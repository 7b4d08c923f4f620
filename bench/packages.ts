/** Debian packages that only benches need: who else is measured, and with what. */
export const debianPackages: readonly { readonly name: string; readonly why: string }[] = [
  { name: 'wrk', why: 'asks as fast as it is answered, and counts' },
  { name: 'nginx-light', why: 'the peer that the gateway is measured against' },
]
