/** For tests: the vectors that spec/ hands to every implementation. */
import { readFile } from 'node:fs/promises'

export async function vectors<Shape>(name: string): Promise<Shape> {
  return JSON.parse(await readFile(new URL(`../../../../spec/vectors/${name}.json`, import.meta.url), 'utf8')) as Shape
}

/** How many times more than by default a property is tried. */
export const SCALE = Number(process.env['TEST_SCALE'] ?? 1)
