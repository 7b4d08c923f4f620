/**
 * A size as people write it.
 *
 *   "1 GB"   "512MB"   "1.5 GiB"   "250 M"
 */
const FORM = /^(\d{1,6}(?:\.\d{1,3})?) ?([kKMGT])?(i)?[bB]?$/
const STEPS = { k: 1, K: 1, M: 2, G: 3, T: 4 } as const
const MOST_BYTES = 1e15

/** Null: it is no size, or not a whole number of bytes. */
export function parseSize(text: string): number | null {
  const parts = FORM.exec(text.trim())
  if (!parts) return null
  const [, digits = '', unit, binary] = parts
  if (binary !== undefined && unit === undefined) return null
  const factor = unit === undefined ? 1 : (binary === undefined ? 1000 : 1024) ** STEPS[unit as keyof typeof STEPS]
  const sizeBytes = Math.round(Number(digits) * factor)
  return sizeBytes > 0 && sizeBytes <= MOST_BYTES ? sizeBytes : null
}
