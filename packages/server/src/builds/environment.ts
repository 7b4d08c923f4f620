/** What the programs of a build find set: npm pointed at the package door, and nothing of the node's own. */
import type { Plan, Step } from '../source/index.ts'

export interface BuildEnvironment {
  readonly origin: string
  readonly plan: Pick<Plan, 'settings'>
  readonly step: Pick<Step, 'env'>
}

export function buildEnvironment({ origin, plan, step }: BuildEnvironment): Record<string, string> {
  return {
    ...plan.settings,
    CI: 'true',
    npm_config_registry: origin,
    // A lockfile may name any registry; the door is the only one there is.
    npm_config_replace_registry_host: 'always',
    npm_config_cache: '/tmp/npm',
    npm_config_userconfig: '/tmp/npmrc',
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    npm_config_update_notifier: 'false',
    npm_config_progress: 'false',
    npm_config_fetch_retries: '2',
    npm_config_fetch_retry_mintimeout: '1000',
    ...step.env,
  }
}
