/**
 * What a command prints: answers on standard output, progress on standard error, so that a pipe gets answers only.
 *
 * With `--json` an answer is one JSON object a line, and progress stays silent. Progress rewrites its line only on a
 * terminal; elsewhere every line stands for itself. Whatever is said may hold a stranger's words, such as a node's
 * refusal or an app's name: they may say anything, but not move the cursor.
 */
import { stripVTControlCharacters, styleText } from 'node:util'

export interface Output {
  readonly json: boolean
  /** An answer: `text` for people, `document` for programs. */
  answer(text: string, document: unknown): void
  /** One line about what is going on. */
  note(line: string): void
  /** Says what is being done while it is being done, and how long it took. */
  step<T>(what: string, work: (say: (line: string) => void) => Promise<T>): Promise<T>
}

export interface Streams {
  readonly answers: { write(text: string): unknown }
  readonly progress: { write(text: string): unknown; readonly isTTY?: boolean | undefined }
}

export function openOutput(
  options: { readonly json: boolean },
  streams: Streams = { answers: process.stdout, progress: process.stderr },
): Output {
  const { json } = options
  const { answers, progress } = streams
  const terminal = progress.isTTY === true
  const note = (line: string) => {
    if (!json) progress.write(`${plain(line)}\n`)
  }
  return {
    json,
    answer: (text, document) => void answers.write(`${json ? plainJson(document) : plain(text)}\n`),
    note,
    async step(what, work) {
      const startedMs = performance.now()
      const took = () => `${((performance.now() - startedMs) / 1000).toFixed(1)} s`
      // On a terminal the line is written once and then completed; any line said meanwhile ends it.
      let open = terminal && !json
      if (open) progress.write(`… ${what}`)
      const say = (line: string) => {
        if (open) progress.write('\n')
        open = false
        note(`  ${line}`)
      }
      const end = (mark: string) => {
        if (open) progress.write('\r\u001b[2K')
        if (!json) progress.write(`${mark} ${plain(what)} (${took()})\n`)
      }
      try {
        const result = await work(say)
        end(paint('green', '✓', terminal))
        return result
      } catch (error) {
        end(paint('red', '✗', terminal))
        throw error
      }
    },
  }
}

/** Without what moves a cursor, hides text or turns it around; line breaks and tabs stay. */
export function plain(text: string): string {
  return stripVTControlCharacters(text).replaceAll(/[\p{Cc}\p{Cf}]/gu, (sign) =>
    sign === '\n' || sign === '\t' ? sign : '·',
  )
}

/** JSON escapes half of those signs by itself; the others, which terminals obey as well, are escaped the same way. */
function plainJson(document: unknown): string {
  const unit = (text: string, at: number) => `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`
  return JSON.stringify(document).replaceAll(/[\p{Cc}\p{Cf}]/gu, (sign) =>
    Array.from({ length: sign.length }, (_, at) => unit(sign, at)).join(''),
  )
}

function paint(colour: 'green' | 'red', text: string, terminal: boolean): string {
  return terminal ? styleText(colour, text, { validateStream: false }) : text
}

/** Columns as wide as their widest cell; text left, figures (`>` before the title) right. */
export function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const right = titles.map((title) => title.startsWith('>'))
  const lines = [titles.map((title) => title.replace(/^>/, '')), ...rows]
  const widths = titles.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)))
  return lines
    .map((line) =>
      line
        .map((cell, column) => (right[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
