/**
 * JSON manifests: of a stranger's text, an object or a refusal that names the file. The object is wrapped, as it may
 * have any keys, a refusal's too.
 */
import { planRefusal, type PlanRefusal } from './plan.ts'

/** Longer ones are cut by the fetch, and would be no JSON any more. */
export const LONGEST_MANIFEST = 262_144

export function parseObject(
  text: string,
  name: string,
): { readonly document: Readonly<Record<string, unknown>> } | PlanRefusal {
  if (text.length >= LONGEST_MANIFEST)
    return planRefusal(`${name} is longer than ${LONGEST_MANIFEST / 1024} KiB.`, `Shorten ${name} and deploy again.`)
  let document: unknown
  try {
    document = JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch (error) {
    const why = plainWords((error as Error).message)
    return planRefusal(`${name} is not JSON: ${why}.`, `Mend ${name} and deploy again.`)
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document))
    return planRefusal(`${name} is not an object.`, `Mend ${name} and deploy again.`)
  return { document: document as Record<string, unknown> }
}

/** A stranger's words in a sentence of ours: one line, no control characters, bounded. */
export function plainWords(text: string, most = 200): string {
  return text
    .slice(0, most * 4)
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .trim()
    .toWellFormed()
    .slice(0, most)
}
