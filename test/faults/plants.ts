/** Orphans made on purpose, each a real thing at its place on the machine, so that the search for them is not blind. */
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { tagOf } from '../../packages/sandbox/src/daemon/instance.ts'
import { groupOf } from './counters.ts'

export interface Plant {
  /** What the search says of it. */
  readonly seenAs: RegExp
  /** Makes it; answers what takes it away again. */
  plant(): () => void
}

const ID = 'i-planted'
/** No daemon gives out numbers that high. */
const NUMBER = 65_000

/** `slug`: of an app that runs. */
export function plantsOf(data: string, slug: string): Plant[] {
  const root = join(data, 'sandbox')
  const run = `/run/perennial-${tagOf(root)}`
  const inside = (...words: string[]) => execFileSync('nsenter', [`--mount=${root}/ns/mnt`, '--', ...words])
  const sleeper = (name: string) => {
    const child = spawn('sleep', ['300'], { argv0: name, stdio: 'ignore' })
    return () => void child.kill('SIGKILL')
  }
  return [
    {
      seenAs: new RegExp(`control group of ${ID}`),
      plant() {
        const path = join(groupOf(root).path, ID)
        mkdirSync(path)
        return () => rmdirSync(path)
      },
    },
    {
      seenAs: new RegExp(`supervisor of ${ID}`),
      plant: () => sleeper(`conmon -c ${ID} -b ${run}/`),
    },
    {
      seenAs: /2 programs PostgreSQL/,
      plant: () => sleeper(`postgres -D ${data}/`),
    },
    {
      seenAs: new RegExp(`mount ${run}/sandboxes/${ID}`),
      plant() {
        const point = `${run}/sandboxes/${ID}`
        inside('mkdir', point)
        inside('mount', '-t', 'tmpfs', 'planted', point)
        return () => {
          inside('umount', point)
          inside('rmdir', point)
        }
      },
    },
    {
      seenAs: new RegExp(`loop device loop\\d+ of .*${ID}`),
      plant() {
        const file = join(root, 'disks', `${ID}.ext4`)
        writeFileSync(file, Buffer.alloc(2 ** 20))
        const device = execFileSync('losetup', ['--find', '--show', file], { encoding: 'utf8' }).trim()
        return () => {
          execFileSync('losetup', ['--detach', device])
          rmSync(file)
        }
      },
    },
    {
      seenAs: new RegExp(`network namespace s${NUMBER}`),
      plant() {
        inside('ip', 'netns', 'add', `s${NUMBER}`)
        return () => inside('ip', 'netns', 'del', `s${NUMBER}`)
      },
    },
    {
      seenAs: /network interface p[0-9a-f]{6}v65000/,
      plant() {
        const name = `p${tagOf(root).slice(0, 6)}v${NUMBER}`
        execFileSync('ip', ['link', 'add', name, 'type', 'veth', 'peer', 'name', 'planted0'])
        return () => execFileSync('ip', ['link', 'del', name])
      },
    },
    {
      seenAs: new RegExp(`${slug} shows \\d instances and has the sandboxes .*${ID}`),
      plant() {
        const file = join(root, 'sandboxes', `${ID}.json`)
        const spec = { id: ID, env: { APP_URL: `http://${slug}.localhost` } }
        writeFileSync(file, JSON.stringify({ spec, index: NUMBER, state: 'running' }))
        return () => rmSync(file)
      },
    },
  ]
}
