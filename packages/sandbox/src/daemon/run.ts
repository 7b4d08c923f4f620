/**
 * Runs one of the fixed tools (mount, ip, nft, mkfs.ext4, …) with an argument array: no shell ever reads what
 * a caller sent. The environment is ours alone, so a tool cannot be steered by who started the daemon.
 */
import { spawn } from 'node:child_process'
import { openLane } from './lane.ts'

export class ToolFailed extends Error {
  override readonly name = 'ToolFailed'
  /** Its exit code, where it had one. */
  readonly code: number | undefined
  constructor(message: string, code?: number) {
    super(message)
    this.code = code
  }
}

const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const maxOutputBytes = 64 * 1024 * 1024

export interface RunOptions {
  readonly input?: string
  readonly cwd?: string
  readonly timeoutMs?: number
  /** Added to the fixed environment. */
  readonly env?: Readonly<Record<string, string>>
  /** Called with its process as soon as that is there. */
  readonly begun?: (pid: number) => void
  /** Somebody stands still meanwhile: it does not wait for other slow tools. */
  readonly isUrgent?: boolean
}

/** However much somebody asks for at once, the machine runs no more tools than this for it… */
export const quickTools = openLane({ width: 32 })
/** …and of those that take their time no more than this; the quick ones never wait for them. */
const slowTools = openLane({ width: 8 })
const quickMs = 60_000

export function run(tool: string, argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const isSlow = (options.timeoutMs ?? quickMs) > quickMs && !options.isUrgent
  const lane = isSlow ? slowTools : quickTools
  return lane.hold(() => runNow(tool, argv, options))
}

function runNow(tool: string, argv: readonly string[], options: RunOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(tool, argv, {
      cwd: options.cwd ?? '/',
      env: { PATH: path, HOME: '/root', LC_ALL: 'C.UTF-8', ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: options.timeoutMs ?? quickMs,
      killSignal: 'SIGKILL',
    })
    try {
      if (child.pid !== undefined) options.begun?.(child.pid)
    } catch (error) {
      child.kill('SIGKILL')
      reject(error as Error)
    }
    let output = ''
    let complaint = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (output.length < maxOutputBytes) output += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (complaint.length < 4096) complaint += text
    })
    child.on('error', (error) => reject(new ToolFailed(`${tool}: ${error.message}`)))
    child.on('close', (code, signal) => {
      if (code === 0) resolve(output)
      else
        reject(
          new ToolFailed(
            `${tool} ${argv[0] ?? ''}: ${complaint.trim() || `ended with ${signal ?? code}`}`,
            code ?? undefined,
          ),
        )
    })
    // A tool that fails before it reads its input is reported by its exit code.
    child.stdin.on('error', () => undefined)
    child.stdin.end(options.input ?? '')
  })
}
