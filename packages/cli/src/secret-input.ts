/** Reads a secret without showing it: typed on a terminal, or from whatever standard input is. */
import { stderr, stdin } from 'node:process'
import { CommandFailed } from './fail.ts'

const MOST_BYTES = 1024 * 1024
const ENTER = new Set(['\r', '\n'])
const ERASE = new Set(['\u007f', '\b'])
const STOP = '\u0003'

export async function readAll(input: AsyncIterable<Buffer | string>): Promise<string> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of input) {
    sizeBytes += chunk.length
    if (sizeBytes > MOST_BYTES)
      throw new CommandFailed('standard input is longer than a setting may be', { exitCode: 2 })
    chunks.push(Buffer.from(chunk))
  }
  return Buffer.concat(chunks).toString('utf8')
}

export async function readHidden(question: string): Promise<string> {
  stderr.write(question)
  stdin.setRawMode(true)
  stdin.setEncoding('utf8')
  try {
    return await typed()
  } finally {
    stdin.setRawMode(false)
    stdin.pause()
    stderr.write('\n')
  }
}

function typed(): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const take = (chunk: string) => {
      for (const sign of chunk) {
        if (sign === STOP) return end(() => reject(new CommandFailed('nothing was set')))
        if (ENTER.has(sign)) return end(() => resolve(text))
        text = ERASE.has(sign) ? text.slice(0, -1) : text + sign
      }
    }
    const end = (answer: () => void) => {
      stdin.off('data', take)
      answer()
    }
    stdin.on('data', take)
    stdin.resume()
  })
}
