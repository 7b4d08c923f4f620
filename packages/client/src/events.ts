/**
 * Reads server-sent events (the HTML standard's text/event-stream) from a stream of bytes.
 *
 *   id: 17
 *   event: line
 *   data: {"text":"listening on 8080"}
 */
import { BadAnswer } from './errors.ts'

export interface ServerEvent {
  readonly id: string | undefined
  readonly event: string
  readonly data: string
}

const MAX_EVENT_LENGTH = 1024 * 1024

export async function* readEvents(stream: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent, void> {
  const fields = new Fields()
  for await (const line of linesOf(stream)) {
    const event = fields.take(line)
    if (event) yield event
  }
}

/** An event that is not closed by an empty line when the stream ends was cut short: it is dropped, as the standard says. */
class Fields {
  #id: string | undefined
  #event = ''
  #data: string[] = []
  #length = 0

  take(line: string): ServerEvent | undefined {
    if (line === '') return this.#close()
    this.#length += line.length
    if (this.#length > MAX_EVENT_LENGTH) throw new BadAnswer(`an event is longer than ${MAX_EVENT_LENGTH} characters`)
    const colon = line.indexOf(':')
    const name = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (name === 'data') this.#data.push(value)
    else if (name === 'event') this.#event = value
    else if (name === 'id' && !value.includes('\0')) this.#id = value
    return undefined
  }

  #close(): ServerEvent | undefined {
    const event = { id: this.#id, event: this.#event || 'message', data: this.#data.join('\n') }
    const empty = this.#data.length === 0
    this.#event = ''
    this.#data = []
    this.#length = 0
    return empty ? undefined : event
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  let rest = ''
  const decoder = new TextDecoder()
  for await (const chunk of stream) {
    rest += decoder.decode(chunk, { stream: true })
    if (rest.length > MAX_EVENT_LENGTH) throw new BadAnswer(`a line is longer than ${MAX_EVENT_LENGTH} characters`)
    // A carriage return at the end may be half of a line end: it waits for the next chunk.
    const lines = rest.split(/\r\n|\n|\r(?!$)/)
    rest = lines.pop() ?? ''
    yield* lines
  }
}
