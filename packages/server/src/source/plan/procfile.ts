/**
 * Procfile: one process a line, by the name of its type.
 *
 *   web: node server.js
 *   worker: node worker.js
 *   release: npm run migrate
 */
const LINE = /^([A-Za-z0-9][A-Za-z0-9_-]{0,62}):\s*(\S.{0,4000})$/
const MOST_LINES = 200
const LONGEST = 65_536

/** Commands by process; lines that are none are passed over, as Heroku does. */
export function parseProcfile(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const line of text.slice(0, LONGEST).split(/\r?\n/, MOST_LINES)) {
    const [, name, command] = LINE.exec(line.trim()) ?? []
    if (name !== undefined && command !== undefined && !found.has(name)) found.set(name, command)
  }
  return found
}
