/**
 * How a root process runs our code as uid `perennial`: in a mount namespace of its own, with the clone bound
 * read-only at /run/perennial/code, without privileges and without a way to new ones.
 *
 * The bind makes a clone work that the user cannot reach (root's home), and keeps a node from changing its own code.
 */
import { mkdir } from 'node:fs/promises'
import { clone, pinnedNode } from './places.ts'
import { USER } from './user.ts'

const CODE = '/run/perennial/code'

/** Mounts of the host still come and go inside (`slave`); nothing made inside is seen outside. */
const SCRIPT = `
mount --bind "$1" ${CODE}
mount -o remount,bind,ro,nosuid,nodev ${CODE}
shift
exec setpriv --reuid=${USER} --regid=${USER} --init-groups --no-new-privs \\
  --inh-caps=-all --ambient-caps=-all --bounding-set=-all --pdeathsig=TERM -- "$@"`

/**
 * The command line that runs `script` (relative to the clone) that way. Its environment is the caller's to give,
 * by `spawn`'s `env`, never in these words: everybody can read them. Each step replaces the one before, so the
 * process id is the script's own, and it is told TERM when the caller dies, however that happens.
 */
export async function confined(script: string, words: readonly string[] = []): Promise<[string, ...string[]]> {
  await mkdir(CODE, { recursive: true })
  const node = [confinedPath(pinnedNode()), confinedPath(script), ...words]
  return ['unshare', '--mount', '--propagation', 'slave', 'sh', '-euc', SCRIPT, 'perennial', clone, ...node]
}

/** Where a confined process finds a path of the clone. */
export function confinedPath(path: string): string {
  return `${CODE}/${path}`
}

/** What a confined process is told of this one's environment: the time zone, certificates, nothing else. */
export function cleanEnvironment(): Record<string, string> {
  const kept = ['TZ', 'LANG', 'NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR']
  const values = kept.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]))
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: '/nonexistent',
    ...Object.fromEntries(values),
  }
}
