/**
 * What runs in an app's database sandbox: PostgreSQL on disks of the app's own, reached through a socket in a shared
 * folder.
 *
 *   /data/cluster/pg   the cluster with its log; made under another name first, so it is there whole or not at all
 *   /data/rows/space   the database `app`. A disk of its own, whose size is what the app may keep: when it is full,
 *                      statements fail with "no space", and deleting still works, as the log has its room elsewhere
 *   /data/rows/spare   8 MB, of which a full disk gets one back every ten seconds: even deleting for good, by VACUUM
 *                      or TRUNCATE, may need a block for a new file's name
 *
 * Settings on the command line stand above what the app's own superuser may set, durability among them. What it logs
 * is for nobody: statements and rows are private, so errors of statements are not in it.
 */
import type { Mount, SandboxSpec } from '@perennial/sandbox/client'

export const SOCKET_FOLDER = '/run/postgresql'
/**
 * How an app finds it. All in the query, as many parsers refuse a user without a host, or take any host for a name to
 * look up; `sslmode`, as apps that were made for other hosts ask for TLS, which a socket has not.
 */
export const CONNECTION = {
  DATABASE_URL: `postgresql:///app?host=${SOCKET_FOLDER}&user=app&sslmode=disable`,
  PGHOST: SOCKET_FOLDER,
  PGUSER: 'app',
  PGDATABASE: 'app',
} as const
/** Printed once it takes connections. */
export const READY = /database system is ready to accept connections/

const MIB = 2 ** 20
/** What a database may use; its app pays for it as for an instance. */
export const DATABASE_LIMITS = { memoryBytes: 256 * MIB, pids: 96, cpuPercent: 100 } as const
const WRITABLE_BYTES = 64 * MIB
/** For catalogues of 25 MB and a log that may pass its maximum before a checkpoint catches up. */
const CLUSTER_BYTES = 256 * MIB

/** The disks of a database, by name. */
export const databaseDisks = (rowsBytes: number) => ({ rows: rowsBytes, cluster: CLUSTER_BYTES }) as const

const SETTINGS = {
  listen_addresses: '',
  unix_socket_permissions: '0777',
  max_connections: '40',
  shared_buffers: '16MB',
  maintenance_work_mem: '32MB',
  fsync: 'on',
  full_page_writes: 'on',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_replication_slots: '0',
  min_wal_size: '16MB',
  max_wal_size: '64MB',
  autovacuum: 'on',
  autovacuum_max_workers: '1',
  max_worker_processes: '2',
  max_parallel_workers: '0',
  bgwriter_delay: '10s',
  wal_writer_delay: '10s',
  dynamic_shared_memory_type: 'mmap',
  jit: 'off',
  archive_mode: 'off',
  logging_collector: 'off',
  log_destination: 'stderr',
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_statement: 'none',
  log_checkpoints: 'off',
  log_autovacuum_min_duration: '-1',
  log_duration: 'off',
  log_min_duration_statement: '-1',
  log_lock_waits: 'off',
  log_temp_files: '-1',
} as const

/** `folder`: where its socket is to be. */
export const settingsFor = (folder: string): string =>
  Object.entries({ ...SETTINGS, unix_socket_directories: folder })
    .map(([name, value]) => `-c ${name}='${value}'`)
    .join(' ')

/** Shell: `$bin`, and a cluster at $pg that may be started. */
export const CLUSTER = `set -e
set -- /usr/lib/postgresql/[0-9]*/bin
bin=$1
pg=/data/cluster/pg
if [ ! -d "$pg" ]; then
  rm -rf /data/cluster/new /data/rows/space
  mkdir -m 700 /data/rows/space
  "$bin/initdb" -D /data/cluster/new -U app -A trust --encoding=UTF8 --locale=C.UTF-8 --wal-segsize=1 \\
    --no-instructions >/dev/null
  printf "create tablespace rows location '/data/rows/space';\\n\\ncreate database app tablespace rows;\\n\\n" |
    "$bin/postgres" --single -j -D /data/cluster/new -c log_checkpoints=off postgres >/dev/null
  sync
  mv /data/cluster/new "$pg"
  sync
fi
# The last one to run may have been killed; nobody else has these disks.
rm -f "$pg/postmaster.pid"
`

/** Looks after the spare room; two small programs every ten seconds. */
const SPARE = `spare() {
  mkdir -p /data/rows/spare
  while :; do
    free=$(stat -f -c %a /data/rows)
    for n in 1 2 3 4 5 6 7 8; do
      file=/data/rows/spare/$n
      if [ "$free" -lt 128 ] && [ -e $file ]; then rm $file; break; fi
      if [ "$free" -gt 16384 ] && [ ! -e $file ]; then dd if=/dev/zero of=$file bs=1M count=1 2>/dev/null; fi
    done
    sleep 10
  done
}
( spare & )
`

export type DatabaseDisks = Readonly<Record<'rows' | 'cluster', { readonly id: string; readonly owner: string }>>

/** What a sandbox with a cluster mounts. */
export const clusterMounts = ({ rows, cluster }: DatabaseDisks): readonly Mount[] => [
  { kind: 'volume', id: rows.id, at: '/data/rows' },
  { kind: 'volume', id: cluster.id, at: '/data/cluster' },
]

export function databaseSpec(database: {
  readonly id: string
  readonly share: string
  readonly disks: DatabaseDisks
}): SandboxSpec {
  const { id, share, disks } = database
  return {
    id,
    image: 'postgres',
    owner: disks.rows.owner,
    mounts: [...clusterMounts(disks), { kind: 'share', id: share, at: SOCKET_FOLDER }],
    writableBytes: WRITABLE_BYTES,
    argv: ['sh', '-c', `${CLUSTER}${SPARE}exec "$bin/postgres" -D "$pg" ${settingsFor(SOCKET_FOLDER)}`],
    env: {},
    cwd: '/tmp',
    user: 'app',
    limits: DATABASE_LIMITS,
    network: 'none',
  }
}
