/**
 * Procfile: one process type a line.
 *
 *   web: node server.js
 *   worker: node worker.js
 */
const LINE = /^([A-Za-z0-9_-]{1,63}):\s*(\S.{0,4000})$/
const MOST_LINES = 200

/** Commands by process type; lines that are none are passed over, as Heroku does. */
export function parseProcfile(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const line of text.split(/\r?\n/).slice(0, MOST_LINES)) {
    const [, name, command] = LINE.exec(line.trim()) ?? []
    if (name !== undefined && command !== undefined && !found.has(name)) found.set(name, command)
  }
  return found
}
