/** The public log of a build: what its programs print, and what the node says in between. */
import type { LogLevel, Logs } from '../apps/index.ts'
import type { OutputLine } from '../output.ts'

export interface BuildLog {
  /** The node's own words. */
  say(level: LogLevel, text: string): Promise<void>
  print(lines: readonly OutputLine[]): Promise<void>
  /** The last lines that were printed, to say why something failed. */
  tail(): readonly string[]
}

const TAIL_LINES = 50

export function openBuildLog(logs: Pick<Logs, 'append'>, app: string): BuildLog {
  let tail: string[] = []
  return {
    say: (level, text) => logs.append(app, 'build', [{ text, level }]),
    async print(lines) {
      const texts = lines.map(({ at, stream, bytes }) => ({ at, level: stream, text: bytes.toString('utf8') }))
      tail = [...tail, ...texts.map(({ text }) => text)].slice(-TAIL_LINES)
      await logs.append(app, 'build', texts)
    },
    tail: () => tail,
  }
}
