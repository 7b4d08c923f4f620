/**
 * What a node prints for its operator: one JSON object a line on standard error.
 *
 * Apps' output is public and goes elsewhere (hosting/); this stream never carries it. A `Secret` prints as
 * `***` wherever it lands, so that no field list has to be kept right.
 */
export type Level = 'debug' | 'info' | 'warn' | 'error'
export type Fields = Readonly<Record<string, unknown>>

export interface Diagnostics {
  debug(message: string, fields?: Fields): void
  info(message: string, fields?: Fields): void
  warn(message: string, fields?: Fields): void
  error(message: string, fields?: Fields): void
  /** The same stream with `fields` on every line. */
  child(fields: Fields): Diagnostics
}

const order: Record<Level, number> = { debug: 0, info: 1, warn: 2, error: 3 }

export function openDiagnostics(options: {
  level: Level
  write?: (line: string) => void
  now?: () => Date
}): Diagnostics {
  const write = options.write ?? ((line) => void process.stderr.write(line))
  const now = options.now ?? (() => new Date())
  const make = (bound: Fields): Diagnostics => {
    const say =
      (level: Level) =>
      (message: string, fields: Fields = {}) => {
        if (order[level] < order[options.level]) return
        write(`${JSON.stringify({ at: now(), level, message, ...bound, ...fields }, plain)}\n`)
      }
    return {
      debug: say('debug'),
      info: say('info'),
      warn: say('warn'),
      error: say('error'),
      child: (fields) => make({ ...bound, ...fields }),
    }
  }
  return make({})
}

/** A value that must not be printed: `JSON.stringify`, `String` and `inspect` all show `***`. */
export class Secret<T = string> {
  readonly #value: T
  constructor(value: T) {
    this.#value = value
  }
  /** The value itself; the caller sees to it that it goes nowhere public. */
  reveal(): T {
    return this.#value
  }
  toString(): string {
    return '***'
  }
  toJSON(): string {
    return '***'
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '***'
  }
}

function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Error)
    return { name: value.name, message: value.message, stack: value.stack, cause: value.cause }
  return value
}
