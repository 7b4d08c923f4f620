/** For tests: hosted apps that keep data, as a visitor of theirs sees it. */
import { readFile } from 'node:fs/promises'
import type { App } from '../../apps/index.ts'
import { openHostingBench, type HostingBench } from '../testing.ts'

export interface DataBench extends AsyncDisposable {
  readonly host: HostingBench
  /** What the app says; rejects when it says no. */
  ask(app: App, path: string, query?: Record<string, string>): Promise<string>
  /** Rows of one statement in the app's database. */
  sql(app: App, text: string): Promise<(string | null)[][]>
}

export async function openDataBench(environment: Readonly<Record<string, string>> = {}): Promise<DataBench> {
  const host = await openHostingBench(environment)
  const ask: DataBench['ask'] = async (app, path, query = {}) => {
    const { status, text } = await host.visit(app, `${path}?${new URLSearchParams(query)}`)
    if (status !== 200) throw new Error(`${path} answered ${status}: ${text.slice(0, 500)}`)
    return text
  }
  return {
    host,
    ask,
    sql: async (app, text) => JSON.parse(await ask(app, '/sql', { text })) as (string | null)[][],
    [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
  }
}

export interface Declared {
  readonly volumes?: readonly { readonly path: string; readonly size: string }[]
  readonly database?: 'postgres'
}

export const SMALL = { path: '/data', size: '32 MiB' } as const

/** An app that keeps what it is told, with this perennial.json. */
export async function keeperFiles(
  declared: Declared,
  more: Record<string, string> = {},
): Promise<Record<string, string>> {
  const program = await readFile(new URL('testing-data-app.js', import.meta.url), 'utf8')
  const manifest = { name: 'keeper', version: '1.0.0', private: true, scripts: { start: 'node server.js' } }
  return {
    'package.json': JSON.stringify(manifest),
    'perennial.json': JSON.stringify(declared),
    'server.js': program,
    ...more,
  }
}
