/** The system user that a node runs as: no home, no shell, no password. */
import { readFileSync } from 'node:fs'
import { mustRun } from './command.ts'

export const USER = 'perennial'

export interface UserIds {
  readonly uid: number
  readonly gid: number
}

export function findUser(): UserIds | undefined {
  for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
    const [name, , uid, gid] = line.split(':')
    if (name === USER) return { uid: Number(uid), gid: Number(gid) }
  }
  return undefined
}

/** As root; once. */
export async function makeUser(): Promise<void> {
  const home = ['--no-create-home', '--home-dir', '/nonexistent', '--shell', '/usr/sbin/nologin']
  await mustRun(['useradd', '--system', '--user-group', ...home, USER])
}
