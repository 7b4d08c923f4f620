/**
 * What makes backups and brings them back, in sandboxes without a network:
 *
 *   files.tar.gz      every volume, under its path without the leading slash
 *   database.sql.gz   the database as plain SQL, for psql
 *
 * It works on copies of the app's disks, so a program that fails here has touched nothing of the app.
 */
import type { Mount, SandboxSpec } from '@perennial/sandbox/client'
import { CLUSTER, clusterMounts, DATABASE_LIMITS, settingsFor, type DatabaseDisks } from './database-program.ts'

const MIB = 2 ** 20
const WRITABLE_BYTES = 64 * MIB
const FILE_LIMITS = { memoryBytes: 128 * MIB, pids: 32, cpuPercent: 100 } as const

export const FILES = 'files.tar.gz'
export const DATABASE = 'database.sql.gz'

interface Place {
  /** Of the sandbox. */
  readonly id: string
  /** Where what it makes is put, at /app. */
  readonly scratch?: string
}

export interface VolumeDisk {
  readonly id: string
  readonly owner: string
  readonly path: string
}

export interface ArchiveFile {
  readonly archive: string
  readonly sha256: string
}

export function packFiles(place: Place, volumes: readonly VolumeDisk[]): SandboxSpec {
  const tops = volumes.map(({ path }) => quoted(path.slice(1)))
  // What even its owner may not read is made readable: on the copy, and so in the archive.
  const each = (top: string) => `find ${top} -mindepth 1 \\( -type d ! -perm -0500 -o -type f ! -perm -0400 \\) \\
  -exec chmod u+rX {} \\; 2>/dev/null || :
# What a check of the disk found belongs to nobody here.
if [ -e ${top}/lost+found ] && [ ! -O ${top}/lost+found ]; then set -- "$@" --exclude=${top}/lost+found; fi`
  const tar = `tar --create --gzip --file /app/${FILES} --sparse --sort=name --numeric-owner --format=posix \\
  --pax-option=delete=atime,delete=ctime --anchored --no-wildcards "$@" -- ${tops.join(' ')}`
  return files(place, { volumes, script: ['cd /data', 'set --', ...tops.map(each), tar].join('\n') })
}

export function unpackFiles(place: Place, volumes: readonly VolumeDisk[], from: ArchiveFile): SandboxSpec {
  const at = `/run/${FILES}`
  const script = `${checked(at, from)}
tar --extract --gzip --preserve-permissions --delay-directory-restore --numeric-owner -C /data --file ${at}`
  return files(place, { volumes, script, mounts: [{ kind: 'archive', id: from.archive, at }] })
}

function files(
  { id, scratch }: Place,
  { volumes, script, mounts = [] }: { volumes: readonly VolumeDisk[]; script: string; mounts?: readonly Mount[] },
): SandboxSpec {
  return {
    id,
    image: 'base',
    owner: volumes[0]?.owner ?? id,
    mounts: [
      ...volumes.map(({ id: volume, path }) => ({ kind: 'volume' as const, id: volume, at: `/data${path}` })),
      ...mounts,
    ],
    ...(scratch !== undefined && { scratch }),
    writableBytes: WRITABLE_BYTES,
    argv: ['sh', '-c', `set -e\n${script}\n`],
    env: {},
    cwd: '/tmp',
    user: 'app',
    limits: FILE_LIMITS,
    network: 'none',
  }
}

const RUNNING = `"$bin/pg_ctl" -D "$pg" -w -t 600 -l /tmp/log -o "${settingsFor('/tmp')}" start >/dev/null
export PGHOST=/tmp PGUSER=app PGDATABASE=app`
const STOP = '"$bin/pg_ctl" -D "$pg" -m fast -w stop >/dev/null'

/** Roles besides the app's own come first, so that what belongs to them finds them. */
export function dumpDatabase(place: Place, disks: DatabaseDisks): SandboxSpec {
  return onCluster(place, {
    disks,
    script: `${RUNNING}
"$bin/pg_dumpall" --roles-only --no-role-passwords > /tmp/all
grep -E '^(CREATE|ALTER) ROLE ' /tmp/all | grep -v -E '^(CREATE ROLE app;|ALTER ROLE app WITH )' > /tmp/roles || :
{ cat /tmp/roles; "$bin/pg_dump"; } | gzip > /app/${DATABASE}
${STOP}`,
  })
}

export function loadDatabase(place: Place, disks: DatabaseDisks, from: ArchiveFile): SandboxSpec {
  const at = `/run/${DATABASE}`
  return onCluster(place, {
    disks,
    mounts: [{ kind: 'archive', id: from.archive, at }],
    script: `${checked(at, from)}
${RUNNING}
gzip -dc ${at} | "$bin/psql" -X -q -v ON_ERROR_STOP=1 --single-transaction > /dev/null
"$bin/psql" -X -q -c analyze
${STOP}`,
  })
}

function onCluster(
  { id, scratch }: Place,
  { disks, script, mounts = [] }: { disks: DatabaseDisks; script: string; mounts?: readonly Mount[] },
): SandboxSpec {
  return {
    id,
    image: 'postgres',
    owner: disks.rows.owner,
    mounts: [...clusterMounts(disks), ...mounts],
    ...(scratch !== undefined && { scratch }),
    writableBytes: WRITABLE_BYTES,
    argv: ['busybox', 'sh', '-c', `set -o pipefail\n${CLUSTER}\n${script}\n`],
    env: {},
    cwd: '/tmp',
    user: 'app',
    limits: DATABASE_LIMITS,
    network: 'none',
  }
}

/** A damaged archive brings nothing back. */
function checked(path: string, { sha256 }: ArchiveFile): string {
  return `echo '${sha256}  ${path}' | sha256sum -c - >/dev/null`
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
