/**
 * A plan: how a repository is built and run, from its manifests alone. The same files give the same plan, so that
 * anyone can build it again. It is stored with each release; one of an earlier version is completed when it is read.
 */
import type { ImageName } from '@perennial/sandbox/client'
import { refuse, type Refusal } from '@perennial/protocol'

export type BuildImage = Extract<ImageName, `build-${string}`>
export type RunImage = Exclude<ImageName, 'git' | 'postgres' | 'base'>

export interface Step {
  readonly name: string
  /** What people read instead of its arguments, which may be a script. */
  readonly title: string
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Where it runs, below the repository's top; empty: at the top. */
  readonly cwd: string
}

export interface Plan {
  readonly kind: 'node' | 'python' | 'static'
  /** Null: nothing is built, the repository is served as it is. */
  readonly buildImage: BuildImage | null
  readonly runImage: RunImage
  readonly steps: readonly Step[]
  /** The web process; it listens on $PORT. */
  readonly web: readonly string[]
  /** Every process that the repository names, `web` and `release` too. */
  readonly processes: Readonly<Record<string, readonly string[]>>
  /** How many of each run, 0–4; `release` runs once before a deployment and is not here. */
  readonly formation: Readonly<Record<string, number>>
  readonly cron: readonly Cron[]
  /** Runs once, after the first deployment; null: nothing does. */
  readonly postdeploy: readonly string[] | null
  readonly volumes: readonly Volume[]
  readonly database: 'postgres' | null
  /** What the web process must answer before it gets visitors. */
  readonly health: { readonly path: string; readonly timeoutMs: number }
  /** Settings that the app requires and has no value for. */
  readonly needs: readonly string[]
  /** Settings that get a random secret when the app is made. */
  readonly generates: readonly string[]
  /** The folder that becomes the release, below the repository's top; null: all of it. */
  readonly packPath: string | null
  /** Where processes run, below /app of the release; empty: /app itself. */
  readonly cwd: string
  /** For every process, beside PORT. */
  readonly env: Readonly<Record<string, string>>
  /** What the repository sets, for builds too. */
  readonly settings: Readonly<Record<string, string>>
  /** How it was recognised, for people. */
  readonly sentence: string
  /** What was looked for and not found, by name. */
  readonly lookedFor: readonly string[]
  /** Hints for people: what was understood in part, or not followed. */
  readonly notes: readonly string[]
  /** Null: nothing is installed that would be worth keeping. */
  readonly cache: { readonly key: string } | null
}

export interface Cron {
  readonly name: string
  /** Five fields, UTC. */
  readonly schedule: string
  readonly argv: readonly string[]
}

export interface Volume {
  /** Absolute. */
  readonly path: string
  readonly sizeBytes: number
}

export interface PlanRefusal extends Refusal {
  /** What would have been recognised, by name. */
  readonly lookedFor: readonly string[]
}

export const DEFAULT_HEALTH = { path: '/', timeoutMs: 60_000 } as const

/** What a plan has when its manifests say nothing of it. */
export const ADDITIONS = {
  cron: [],
  postdeploy: null,
  volumes: [],
  database: null,
  health: DEFAULT_HEALTH,
  needs: [],
  generates: [],
  cwd: '',
  lookedFor: [],
  notes: [],
  cache: null,
} as const satisfies Partial<Plan>

/** As a release has stored it: earlier versions knew a web process and no more. */
export type StoredPlan = Partial<Plan> & Pick<Plan, 'kind' | 'runImage' | 'web'>

export function completePlan(stored: StoredPlan): Plan {
  return {
    ...ADDITIONS,
    buildImage: null,
    processes: { web: stored.web },
    formation: { web: 1 },
    packPath: null,
    env: {},
    settings: {},
    sentence: '',
    ...stored,
    steps: (stored.steps ?? []).map((step: Partial<Step> & Pick<Step, 'name' | 'argv' | 'env'>) => ({
      title: step.argv.join(' '),
      cwd: '',
      ...step,
    })),
  }
}

export function planRefusal(sentence: string, nextStep: string, lookedFor: readonly string[] = []): PlanRefusal {
  return { ...refuse('client-error/invalid-arguments', sentence, nextStep), lookedFor }
}
