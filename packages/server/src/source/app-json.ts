/**
 * app.json: what an app wants set.
 *
 *   { "env": { "GREETING": "hello", "PAGE_SIZE": { "value": "20" }, "TOKEN": { "required": false } } }
 *
 * Settings cannot be given yet, so one that is required and has no value is refused before it costs anything.
 */
import { refuse, type Refusal } from '@perennial/protocol'
import { z } from 'zod'

const MOST_SETTINGS = 100
const name = z.string().regex(/^[A-Z_][A-Z0-9_]{0,99}$/i)
const value = z.string().max(4096)
const setting = z.union([
  value,
  z.object({ value: value.optional(), required: z.boolean().optional(), generator: z.string().optional() }),
])
const shape = z.object({ env: z.record(name, setting).optional() })

export interface AppJson {
  readonly env: Readonly<Record<string, string>>
}

export function parseAppJson(text: string | undefined): AppJson | Refusal {
  if (text === undefined) return { env: {} }
  const read = shape.safeParse(parse(text))
  if (!read.success || Object.keys(read.data.env ?? {}).length > MOST_SETTINGS)
    return refuse(
      'client-error/invalid-arguments',
      `app.json cannot be read: ${read.error?.issues[0]?.message ?? `more than ${MOST_SETTINGS} settings`}.`,
      'Mend app.json and deploy again.',
    )
  const env: [string, string][] = []
  const missing: string[] = []
  for (const [key, entry] of Object.entries(read.data.env ?? {})) {
    if (typeof entry === 'string') env.push([key, entry])
    else if (entry.value !== undefined) env.push([key, entry.value])
    else if (entry.required !== false) missing.push(key)
  }
  if (missing.length > 0)
    return refuse(
      'client-error/invalid-arguments',
      `app.json requires ${missing.join(', ')} and gives no value.`,
      'Give a value in app.json, or "required": false.',
    )
  return { env: Object.fromEntries(env) }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
