/**
 * A folder below a repository's top, as people write it: `packages/web`. It ends up in paths, arguments and the
 * identity of an app, so it has one form: no empty, hidden or upward part, and no character that means something
 * anywhere else.
 */
const LONGEST = 200
const MOST_PARTS = 10
const PART = /^[A-Za-z0-9_@+~][A-Za-z0-9_@+~.,=-]{0,99}$/

export function isFolder(text: string): boolean {
  if (text.length > LONGEST) return false
  const parts = text.split('/')
  return parts.length <= MOST_PARTS && parts.every((part) => PART.test(part) && part !== 'node_modules')
}

/** One form for `packages/web`, `/packages/web/` and `./packages/web`; empty: the top. Null: it is no folder. */
export function parseFolder(text: string): string | null {
  if (text.length > LONGEST + 10) return null
  const bare = text
    .trim()
    .replace(/^(?:\.?\/)+/, '')
    .replace(/\/+$/, '')
  if (bare === '' || bare === '.') return ''
  return isFolder(bare) ? bare : null
}
