/** How PostgreSQL's values are read here: money is a bigint, never a string and never a number. */
import pg from 'pg'

const INT8 = 20
const INT2_ARRAY = 1005
const INT8_ARRAY = 1016

const PARSERS = new Map<number, (text: string) => unknown>([
  [INT8, BigInt],
  [INT2_ARRAY, (text) => words(text).map(Number)],
  [INT8_ARRAY, (text) => words(text).map((word) => (word === 'NULL' ? undefined : BigInt(word)))],
])

export const types = {
  getTypeParser(type: number, format?: 'text' | 'binary'): (value: string) => unknown {
    return PARSERS.get(type) ?? (pg.types.getTypeParser(type, format) as (value: string) => unknown)
  },
}

/** `{1,NULL,3}`; numbers need no quotes. */
function words(array: string): string[] {
  return array.length === 2 ? [] : array.slice(1, -1).split(',')
}
