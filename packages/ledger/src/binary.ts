/**
 * PostgreSQL's binary form of an array, as a query parameter.
 *
 * As text, 8000 events are a megabyte to print, escape and parse again; this is a copy of the bytes.
 *
 *     dimensions 4 | has nulls 4 | element type 4 | length 4 | first index 4 | per element: size 4 (-1 = null) | bytes
 */
const INT2 = 21
const INT8 = 20
const UUID = 2950

export function int2Array(values: readonly number[]): Buffer {
  return encode({ type: INT2, sizeBytes: 2, values, write: (buffer, value, at) => buffer.writeInt16BE(value, at) })
}

export function int8Array(values: readonly (bigint | undefined)[]): Buffer {
  return encode({ type: INT8, sizeBytes: 8, values, write: (buffer, value, at) => buffer.writeBigInt64BE(value, at) })
}

export function uuidArray(values: readonly (string | undefined)[]): Buffer {
  const write = (buffer: Buffer, value: string, at: number): number =>
    buffer.write(value.replaceAll('-', ''), at, 'hex')
  return encode({ type: UUID, sizeBytes: 16, values, write })
}

interface Elements<T> {
  type: number
  sizeBytes: number
  values: readonly (T | undefined)[]
  write: (buffer: Buffer, value: T, at: number) => unknown
}

function encode<T>({ type, sizeBytes, values, write }: Elements<T>): Buffer {
  const nulls = values.reduce((n, value) => (value === undefined ? n + 1 : n), 0)
  const buffer = Buffer.alloc(20 + 4 * values.length + sizeBytes * (values.length - nulls))
  for (const [i, field] of [1, nulls > 0 ? 1 : 0, type, values.length, 1].entries()) buffer.writeInt32BE(field, 4 * i)
  let at = 20
  for (const value of values) {
    at = buffer.writeInt32BE(value === undefined ? -1 : sizeBytes, at)
    if (value === undefined) continue
    write(buffer, value, at)
    at += sizeBytes
  }
  return buffer
}
