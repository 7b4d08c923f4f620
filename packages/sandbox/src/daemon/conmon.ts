/**
 * crun makes the container, conmon stays beside it: it holds the output and writes the exit code to a file,
 * whether or not the daemon is alive at that moment.
 */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { Instance } from './instance.ts'
import { quickTools, run, ToolFailed } from './run.ts'

/** When a log is full, conmon starts it over. */
export const maxLogBytes = 8 * 1024 * 1024
const createTimeoutMs = 60_000
const crun = '/usr/bin/crun'

export const stateFolder = (at: Instance) => join(at.run, 'crun')
export const exitsFolder = (at: Instance) => join(at.run, 'exits')

export async function prepareConmon(at: Instance): Promise<void> {
  await mkdir(stateFolder(at), { recursive: true })
  await mkdir(exitsFolder(at), { recursive: true })
}

/** Creates the container without starting it; answers the host pid of its first process. */
export function createContainer(
  at: Instance,
  { id, bundle, log }: { id: string; bundle: string; log: string },
): Promise<number> {
  const argv = ['-c', id, '-u', id, '-n', id, '-r', crun]
  for (const word of globalOptions(at)) argv.push(`--runtime-arg=${word}`)
  argv.push('-b', bundle, '-p', join(bundle, 'pid'), '--exit-dir', exitsFolder(at), '--full-attach')
  argv.push('-l', `k8s-file:${log}`, '--log-size-max', String(maxLogBytes))
  return quickTools.hold(() => supervise(argv, { id, bundle }))
}

function supervise(argv: readonly string[], { id, bundle }: { id: string; bundle: string }): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn('/usr/bin/conmon', argv, {
      // Where it leaves a file named `oom` when the kernel ends one of its processes.
      cwd: bundle,
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', _OCI_SYNCPIPE: '3' },
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    })
    const fail = (message: string) => {
      clearTimeout(timer)
      reject(new ToolFailed(message))
    }
    const timer = setTimeout(() => fail(`conmon did not create ${id} in time`), createTimeoutMs)
    const pipe = child.stdio[3] as Readable
    let text = ''
    pipe.setEncoding('utf8')
    pipe.on('data', (chunk: string) => {
      text += chunk
      if (!text.includes('\n')) return
      pipe.destroy()
      const answer = createAnswer(text.slice(0, text.indexOf('\n')))
      if (answer.pid === undefined) return fail(`${id} could not be created: ${answer.complaint}`)
      clearTimeout(timer)
      resolve(answer.pid)
    })
    pipe.on('close', () => fail(`conmon ended before it created ${id}`))
    child.on('error', (error) => fail(`conmon: ${error.message}`))
  })
}

/** `{"pid":123}`, or `{"pid":-1,"message":"…"}` with what crun printed. */
export function createAnswer(line: string): { pid?: number; complaint: string } {
  let answer: { pid?: unknown; data?: unknown; message?: unknown } | null
  try {
    answer = JSON.parse(line) as typeof answer
  } catch {
    return { complaint: `conmon answered ${line.slice(0, 200)}` }
  }
  const pid = Number(answer?.pid ?? answer?.data)
  const { message } = answer ?? {}
  const complaint = typeof message === 'string' ? message.trim() : 'no reason given'
  return { ...(Number.isSafeInteger(pid) && pid > 0 && { pid }), complaint }
}

export async function startContainer(at: Instance, id: string): Promise<void> {
  await run(crun, [...globalOptions(at), 'start', id])
}

/** A container that has ended meanwhile is not an error. */
export async function signalContainer(
  at: Instance,
  { id, signal }: { id: string; signal: 'TERM' | 'KILL' },
): Promise<void> {
  await run(crun, [...globalOptions(at), 'kill', id, signal]).catch((error: unknown) => {
    if (!(error instanceof ToolFailed) || !/not running|No such process|does not exist/.test(error.message)) throw error
  })
}

/** Kills what is left of it and removes its control groups. */
export async function deleteContainer(at: Instance, id: string): Promise<void> {
  if (!existsSync(join(stateFolder(at), id))) return
  await run(crun, [...globalOptions(at), 'delete', '--force', id])
}

export async function containers(at: Instance): Promise<string[]> {
  return readdir(stateFolder(at))
}

/** The exit code as conmon wrote it, undefined while it runs. */
export function exitCode(at: Instance, id: string): number | undefined {
  const file = join(exitsFolder(at), id)
  if (!existsSync(file)) return undefined
  const text = readFileSync(file, 'utf8').trim()
  // An empty one would be read as 0.
  return /^\d{1,3}$/.test(text) ? Number(text) : undefined
}

function globalOptions(at: Instance): string[] {
  return [`--root=${stateFolder(at)}`, '--cgroup-manager=cgroupfs']
}
