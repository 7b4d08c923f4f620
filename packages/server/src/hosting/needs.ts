/** Settings that an app requires: random secrets are made where it asks for them, and what else is missing is named. */
import type { AppConfig } from '../apps/index.ts'
import type { Release } from '../builds/index.ts'

/** What the node and the app's database set. */
const GIVEN = ['PORT', 'HOST', 'APP_URL']
const GIVEN_WITH_DATABASE = ['DATABASE_URL', 'PGHOST', 'PGUSER', 'PGDATABASE']

export async function missingSettings(
  settings: Pick<AppConfig, 'environment' | 'generate'>,
  { app, plan, configVersion: version }: Pick<Release, 'app' | 'plan' | 'configVersion'>,
): Promise<string[]> {
  await settings.generate(app, { names: plan.generates, version })
  const given = new Set([...GIVEN, ...(plan.database === null ? [] : GIVEN_WITH_DATABASE)])
  const wanted = plan.needs.filter((name) => !given.has(name) && plan.env[name] === undefined)
  if (wanted.length === 0) return []
  const set = await settings.environment(app, version)
  return wanted.filter((name) => set[name] === undefined)
}

/** Null: nothing is missing. */
export function waitsFor(missing: readonly string[], { slug }: { slug: string }): string | null {
  const [first] = missing
  if (first === undefined) return null
  const [what, them] = missing.length === 1 ? ['the setting', 'it'] : ['the settings', 'them']
  return `Waits for ${what} ${missing.join(', ')}, which app.json requires. Set ${them}: perennial config set ${slug} ${first}=… It starts by itself then.`
}
