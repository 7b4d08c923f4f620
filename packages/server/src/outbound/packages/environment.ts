/**
 * What the package managers of a build find set: the door as their registry, and as the proxy for everything else, so
 * that a program that wants another host is refused at once and can do without.
 */
import { PREFIX } from './python-path.ts'

/** `origin` is the door's, `http://10.77.0.1:4873`; `caches` a folder that the build may write to. */
export function packageEnvironment({ origin, caches }: { origin: string; caches: string }): Record<string, string> {
  const { hostname, host } = new URL(origin)
  return {
    ...proxy({ origin, hostname }),
    ...npm({ origin, caches }),
    ...pnpm({ origin, caches }),
    ...yarn({ origin, hostname, caches }),
    ...python({ origin, hostname, host, caches }),
  }
}

/** Node's own fetch heeds it since 24, too. */
function proxy({ origin, hostname }: { origin: string; hostname: string }): Record<string, string> {
  return {
    http_proxy: origin,
    https_proxy: origin,
    HTTP_PROXY: origin,
    HTTPS_PROXY: origin,
    no_proxy: `${hostname},localhost,127.0.0.1`,
    NO_PROXY: `${hostname},localhost,127.0.0.1`,
    NODE_USE_ENV_PROXY: '1',
  }
}

function npm({ origin, caches }: { origin: string; caches: string }): Record<string, string> {
  return {
    npm_config_registry: origin,
    // A lockfile may name any registry; the door is the only one there is.
    npm_config_replace_registry_host: 'always',
    npm_config_cache: `${caches}/npm`,
    npm_config_userconfig: `${caches}/npmrc`,
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    npm_config_update_notifier: 'false',
    npm_config_progress: 'false',
    npm_config_fetch_retries: '2',
    npm_config_fetch_retry_mintimeout: '1000',
    COREPACK_NPM_REGISTRY: origin,
    COREPACK_ENABLE_DOWNLOAD_PROMPT: '0',
    COREPACK_HOME: `${caches}/corepack`,
  }
}

/** pnpm 11 and later reads no `npm_config_*`. */
function pnpm({ origin, caches }: { origin: string; caches: string }): Record<string, string> {
  return {
    pnpm_config_registry: origin,
    pnpm_config_store_dir: `${caches}/pnpm`,
  }
}

/** Classic Yarn reads `npm_config_registry` and `yarn_*`, later ones `YARN_*`. */
function yarn({
  origin,
  hostname,
  caches,
}: {
  origin: string
  hostname: string
  caches: string
}): Record<string, string> {
  return {
    yarn_registry: origin,
    yarn_cache_folder: `${caches}/yarn`,
    YARN_NPM_REGISTRY_SERVER: origin,
    YARN_UNSAFE_HTTP_WHITELIST: hostname,
    YARN_GLOBAL_FOLDER: `${caches}/yarn-berry`,
    YARN_ENABLE_TELEMETRY: '0',
  }
}

/** pip takes an index without encryption only from a host that it is told to trust; uv takes it as it is. */
function python({
  origin,
  hostname,
  caches,
}: {
  origin: string
  hostname: string
  host: string
  caches: string
}): Record<string, string> {
  const index = `${origin}${PREFIX}simple/`
  return {
    PIP_INDEX_URL: index,
    PIP_TRUSTED_HOST: hostname,
    PIP_CACHE_DIR: `${caches}/pip`,
    PIP_DISABLE_PIP_VERSION_CHECK: '1',
    PIP_NO_INPUT: '1',
    UV_DEFAULT_INDEX: index,
    UV_INSECURE_HOST: hostname,
    UV_CACHE_DIR: `${caches}/uv`,
    UV_PYTHON_DOWNLOADS: 'never',
  }
}
