/**
 * Debian packages: what is missing, and installing it without starting anybody's services.
 *
 * Debian starts a service as soon as its package is installed: a PostgreSQL cluster on port 5432 and HAProxy.
 * A node runs its own of both, so neither is wanted. Both are prevented the way Debian documents: no first
 * cluster by `createcluster.conf`, no start by a `policy-rc.d` that is in force only while we install.
 */
import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { command, mustRun } from './command.ts'
import type { DebianPackage } from './needs.ts'

const POLICY = '/usr/sbin/policy-rc.d'
const CLUSTERS = '/etc/postgresql-common/createcluster.conf'

export async function isDebian(): Promise<boolean> {
  const { code } = await command(['dpkg-query', '--version'])
  return code === 0 && existsSync('/usr/bin/apt-get')
}

/** Those of `packages` that are not installed. */
export async function missingPackages(packages: readonly DebianPackage[]): Promise<DebianPackage[]> {
  if (packages.length === 0) return []
  const names = packages.map(({ name }) => name)
  // Exit code 1 means that some name is unknown to dpkg, which is an answer too.
  const { stdout } = await command(['dpkg-query', '-W', '-f', '${Package} ${db:Status-Status}\n', ...names])
  const installed = new Set(
    stdout
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0]),
  )
  return packages.filter(({ name }) => !installed.has(name))
}

/** As root. `say` is told each step before it is taken. */
export async function installPackages(packages: readonly DebianPackage[], say: (line: string) => void): Promise<void> {
  if (packages.length === 0) return
  const names = packages.map(({ name }) => name)
  say('asking Debian for its package lists (apt-get update)')
  await aptGet(['update'])
  await using _quiet = await withoutServices()
  if (names.some((name) => name.startsWith('postgresql'))) {
    say(`setting create_main_cluster = false in ${CLUSTERS}: the node keeps a private cluster of its own`)
    await install(['postgresql-common'])
    await noMainCluster()
  }
  say(`installing ${names.join(' ')} (services stay stopped: the node runs its own)`)
  await install(names)
  // Installed just now, so nobody relies on it: a HAProxy of the distribution must not start at the next boot.
  if (names.includes('haproxy') && existsSync('/usr/bin/systemctl'))
    await command(['systemctl', 'disable', 'haproxy.service'])
}

/** A configuration file that an operator changed stays as it is, without a question. */
function install(names: readonly string[]): Promise<void> {
  const keep = ['--force-confdef', '--force-confold'].flatMap((option) => ['-o', `Dpkg::Options::=${option}`])
  return aptGet(['install', '--yes', '--no-install-recommends', ...keep, ...names])
}

async function aptGet(words: readonly string[]): Promise<void> {
  await mustRun(['apt-get', '-q', '-o', 'DPkg::Lock::Timeout=300', ...words], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  })
}

/** Between postgresql-common, which brings the file, and the server, which reads it. An operator's own word stays. */
async function noMainCluster(): Promise<void> {
  const now = existsSync(CLUSTERS) ? await readFile(CLUSTERS, 'utf8') : ''
  if (/^\s*create_main_cluster/m.test(now)) return
  await mkdir(dirname(CLUSTERS), { recursive: true })
  await writeFile(CLUSTERS, `${now}# Perennial runs a private cluster of its own.\ncreate_main_cluster = false\n`)
}

/**
 * Forbids service starts until disposed. The script allows everything once this process is gone, so that a kill
 * in between leaves nothing broken. A policy that somebody else set stays as it is.
 */
async function withoutServices(): Promise<AsyncDisposable> {
  const ours = '# perennial doctor: no service starts while it installs packages'
  if (existsSync(POLICY) && !(await readFile(POLICY, 'utf8')).includes(ours))
    return { [Symbol.asyncDispose]: async () => undefined }
  await writeFile(POLICY, `#!/bin/sh\n${ours}\n[ ! -d /proc/${process.pid} ] || exit 101\n`)
  await chmod(POLICY, 0o755)
  return { [Symbol.asyncDispose]: () => rm(POLICY, { force: true }) }
}
