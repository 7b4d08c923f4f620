/**
 * What runs in an app's database sandbox: PostgreSQL on the app's own disk, reached through a socket in a shared folder.
 *
 *   /data/pg        the cluster; made under another name first, so that it is there whole or not at all
 *   /data/ballast   32 MB that are given up when the disk is full: without room for its log a full PostgreSQL cannot
 *                   even start to let anyone delete something
 *
 * Settings on the command line stand above what the app's own superuser may set, durability among them. What it logs
 * is for nobody: statements and rows are private, so errors of statements are not in it.
 */
import type { SandboxSpec } from '@perennial/sandbox/client'

export const SOCKET_FOLDER = '/run/postgresql'
export const DATABASE_URL = `postgresql://app@/app?host=${SOCKET_FOLDER}`
/** Printed once it takes connections. */
export const READY = /database system is ready to accept connections/

const MIB = 2 ** 20
/** What a database may use; its app pays for it as for an instance. */
export const DATABASE_LIMITS = { memoryBytes: 256 * MIB, pids: 96, cpuPercent: 100 } as const
const WRITABLE_BYTES = 64 * MIB

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
  min_wal_size: '16MB',
  max_wal_size: '64MB',
  autovacuum: 'on',
  autovacuum_max_workers: '1',
  max_worker_processes: '2',
  max_parallel_workers: '0',
  bgwriter_delay: '10s',
  wal_writer_delay: '10s',
  dynamic_shared_memory_type: 'mmap',
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

/** Shell: `$bin`, and a cluster at /data/pg that may be started. */
export const CLUSTER = `set -e
bin=$(echo /usr/lib/postgresql/*/bin)
cd /data
free() { df -kP /data | tail -n 1 | awk '{ print $4 }'; }
if [ ! -d pg ]; then
  rm -rf new
  "$bin/initdb" -D new -U app -A trust --encoding=UTF8 --locale=C.UTF-8 --wal-segsize=1 --no-instructions >/dev/null
  echo 'create database app' | "$bin/postgres" --single -D new postgres >/dev/null
  sync
  mv new pg
  sync
fi
# The last one to run may have been killed; nobody else has this disk.
rm -f pg/postmaster.pid
if [ "$(free)" -lt 16384 ]; then rm -f ballast; fi
if [ ! -e ballast ] && [ "$(free)" -gt 131072 ]; then
  dd if=/dev/zero of=ballast.new bs=1M count=32 2>/dev/null && mv ballast.new ballast
fi
`

export function databaseSpec(database: {
  readonly id: string
  readonly share: string
  readonly volume: { readonly id: string; readonly owner: string }
}): SandboxSpec {
  const { id, share, volume } = database
  return {
    id,
    image: 'postgres',
    owner: volume.owner,
    mounts: [
      { kind: 'volume', id: volume.id, at: '/data' },
      { kind: 'share', id: share, at: SOCKET_FOLDER },
    ],
    writableBytes: WRITABLE_BYTES,
    argv: ['sh', '-c', `${CLUSTER}exec "$bin/postgres" -D pg ${settingsFor(SOCKET_FOLDER)}`],
    env: {},
    cwd: '/data',
    user: 'app',
    limits: DATABASE_LIMITS,
    network: 'none',
  }
}
