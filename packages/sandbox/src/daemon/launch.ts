/** Runs a daemon as a child process: for `perennial up`, and for tests, which give it a root of their own. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { socketName } from '../verbs.ts'
import { answers } from './server.ts'

const main = fileURLToPath(new URL('main.ts', import.meta.url))
const startTimeoutMs = 60_000

export interface LaunchOptions {
  readonly root: string
  readonly uid: number
  readonly gid: number
  /** `10.N.0.0/16`. */
  readonly subnet?: string
  /** Where runtime images are kept; `<root>/images` unless told. */
  readonly images?: string
}

export interface Daemon {
  readonly socket: string
  readonly process: ChildProcess
  /** Ends the daemon; sandboxes go on. */
  stop(): Promise<void>
  /** What a crash does. */
  kill9(): Promise<void>
  /** Ends the daemon and every sandbox, and takes away all that it made on the machine, its root included. */
  destroy(): Promise<void>
}

/** The argument vector after `node`, for who wants to start it otherwise (systemd). */
export function daemonArguments(options: LaunchOptions): string[] {
  const { root, uid, gid, subnet, images } = options
  const argv = [main, '--root', root, '--uid', String(uid), '--gid', String(gid)]
  if (subnet) argv.push('--subnet', subnet)
  if (images) argv.push('--images', images)
  return argv
}

export async function startDaemon(options: LaunchOptions): Promise<Daemon> {
  const socket = join(options.root, socketName)
  const child = spawn(process.execPath, daemonArguments(options), { stdio: ['ignore', 'inherit', 'pipe'] })
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-8192)
    process.stderr.write(text)
  })
  const deadline = Date.now() + startTimeoutMs
  while (!(await answers(socket))) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`sandboxd did not start: ${complaint}`)
    if (Date.now() > deadline) {
      child.kill('SIGKILL')
      throw new Error(`sandboxd did not answer at ${socket} within ${startTimeoutMs} ms: ${complaint}`)
    }
    await sleep(20)
  }
  const end = async (signal: 'SIGTERM' | 'SIGKILL') => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    await ended
  }
  return {
    socket,
    process: child,
    stop: () => end('SIGTERM'),
    kill9: () => end('SIGKILL'),
    async destroy() {
      await end('SIGTERM')
      await destroyDaemon(options)
    },
  }
}

/** Takes away everything of a daemon that no longer runs. */
export async function destroyDaemon(options: LaunchOptions): Promise<void> {
  const child = spawn(process.execPath, [...daemonArguments(options), '--destroy'], { stdio: 'inherit' })
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve))
  if (code !== 0) throw new Error(`sandboxd --destroy for ${options.root} ended with ${code}`)
}
