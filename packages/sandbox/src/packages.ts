/** The Debian packages that the sandbox needs on the host, and what for. Nothing of them runs inside a sandbox. */
export interface DebianPackage {
  readonly name: string
  readonly why: string
}

export const debianPackages: readonly DebianPackage[] = [
  { name: 'crun', why: 'starts each sandbox in its own namespaces and control groups' },
  { name: 'conmon', why: 'keeps a sandbox, its output and its exit code while the daemon is restarted' },
  { name: 'squashfs-tools', why: 'packs runtime images and releases' },
  { name: 'e2fsprogs', why: 'formats the disks of sandboxes' },
  { name: 'nftables', why: 'keeps sandboxes away from the host, from private networks and from each other' },
  { name: 'iproute2', why: 'gives each sandbox its network interface' },
]
