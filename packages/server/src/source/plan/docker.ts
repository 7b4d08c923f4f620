/**
 * Dockerfile: not built here, as an image may hold anything and nobody could build the same again. What it starts from
 * is read, so that the answer can name it.
 *
 *   FROM node:20-alpine AS build
 */
const LONGEST = 65_536
const MOST_LINES = 1000

/** The base image of its last stage that names one; null: none is found. */
export function dockerBase(text: string): string | null {
  const stages = new Set<string>()
  let base: string | null = null
  for (const line of text.slice(0, LONGEST).split(/\r?\n/, MOST_LINES)) {
    const [, image = '', stage] =
      /^\s*FROM\s+(?:--platform=\S{1,80}\s+)?([A-Za-z0-9][\w./:@-]{0,199})(?:\s+AS\s+([\w.-]{1,80}))?\s*$/i.exec(
        line,
      ) ?? []
    if (stage !== undefined) stages.add(stage.toLowerCase())
    if (image !== '' && !stages.has(image.toLowerCase())) base = image
  }
  return base
}
