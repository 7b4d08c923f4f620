/**
 * One daemon's place on the machine, all of it derived from its root's name, so that several (a node and the
 * tests beside it) never share an address, an interface name, a user id or a control group.
 */
import { tagOf, uidRangeOf } from './tag.ts'

export interface Instance {
  readonly root: string
  /** Who may connect to the socket, and whose group reads the logs. */
  readonly uid: number
  readonly gid: number
  /** Folder of runtime images; tests share one so that they need not make them again. */
  readonly images: string
  /** Names this root in everything below. */
  readonly tag: string
  /** The private mounts, in memory: bundles, mounted images and disks, conmon's exit files. */
  readonly run: string
  readonly subnet: string
  readonly doorAddress: string
  /** Label of the door address, by which a restarted daemon knows it as its own. */
  readonly doorLabel: string
  readonly nftTable: string
  readonly vethPrefix: string
  readonly cgroupParent: string
  readonly capacity: number
  readonly firstUid: number
}

/** Everything that a daemon mounts lies below a folder of this name. */
export const runPrefix = '/run/perennial-'
export const defaultRoot = '/var/lib/perennial/sandbox'
export const defaultSubnet = '10.77.0.0/16'

/** Addresses per /24: .1 to .250 of each, from x.x.1.1 on. */
const perBlock = 250
const uidsEach = 65_536
/**
 * Host user ids of sandboxes start here: above those that adduser gives to rootless containers, below those
 * that systemd calls foreign. The default root has room for 8000 sandboxes, every other one for 1000; beyond eight
 * others, two share a range, which lets the kernel count their sandboxes as one user and nothing more.
 */
const uidFloor = 0x4000_0000

export { tagOf } from './tag.ts'

export function instance(options: {
  root: string
  uid: number
  gid: number
  subnet: string
  images: string
}): Instance {
  const tag = tagOf(options.root)
  const isDefault = options.root === defaultRoot
  const second = Number(options.subnet.split('.')[1])
  return {
    ...options,
    tag,
    run: `${runPrefix}${tag}`,
    doorAddress: `10.${second}.0.1`,
    doorLabel: `lo:p${tag}`,
    nftTable: `perennial_${tag}`,
    vethPrefix: `p${tag.slice(0, 6)}v`,
    cgroupParent: `/perennial-${tag}`,
    capacity: isDefault ? 8000 : 1000,
    firstUid: isDefault ? uidFloor : uidFloor + (8000 + uidRangeOf(options.root) * 1000) * uidsEach,
  }
}

/** `10.N.0.0/16`, the only form of subnet there is; undefined for anything else. */
export function subnetNumber(subnet: string): number | undefined {
  const second = /^10\.(\d{1,3})\.0\.0\/16$/.exec(subnet)?.[1]
  return second !== undefined && Number(second) < 256 ? Number(second) : undefined
}

export function addressOf(at: Instance, index: number): string {
  const prefix = at.doorAddress.split('.').slice(0, 2).join('.')
  return `${prefix}.${1 + Math.floor(index / perBlock)}.${1 + (index % perBlock)}`
}

export function hostUid(at: Instance, index: number): number {
  return at.firstUid + index * uidsEach
}
