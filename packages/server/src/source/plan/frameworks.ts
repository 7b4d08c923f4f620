/**
 * Frameworks whose `start` is a server for developing, or which have none: what each makes, and what serves it.
 *
 * A script of the repository's own always comes first; this is what is known when it has none.
 */
import type { Look } from './look.ts'
import type { PackageJson } from './package-json.ts'

export type Outcome =
  | { readonly kind: 'server'; readonly start: string }
  /** `single`: one page whose own program knows every path. */
  | { readonly kind: 'site'; readonly folders: readonly string[]; readonly single?: boolean }
  | { readonly kind: 'unserved'; readonly sentence: string; readonly nextStep: string }

export interface Framework {
  readonly name: string
  /** Any of these among its dependencies. */
  readonly packages: readonly string[]
  /** What builds it when package.json has no script. */
  readonly build: string
  /** A script that builds it under another name than `build`. */
  readonly script?: string
  /** Without this file it is a tool among others, and no site. */
  readonly needs?: string
  /** What it keeps for its next build: of no use to a release, and other in each. */
  readonly caches?: readonly string[]
  readonly outcome: (found: { look: Look; npm: PackageJson }) => Outcome
}

const site = (...folders: readonly string[]): Framework['outcome'] => {
  return () => ({ kind: 'site', folders })
}
const singlePage = (...folders: readonly string[]): Framework['outcome'] => {
  return () => ({ kind: 'site', folders, single: true })
}

/** Which of a framework's ways out of a build is set up: one that makes a server here, a site, or neither. */
function adapted(one: {
  readonly npm: PackageJson
  readonly name: string
  readonly server: string
  readonly start: string
  readonly others: RegExp
  readonly site: Outcome
}): Outcome {
  const { npm, name, server, start, others } = one
  const all = [...npm.dependencies, ...npm.devDependencies]
  if (all.includes(server)) return { kind: 'server', start }
  const other = all.find((dependency) => others.test(dependency))
  if (other === undefined) return one.site
  return {
    kind: 'unserved',
    sentence: `${name} is set up with ${other.slice(0, 80)}, which makes nothing that runs by itself.`,
    nextStep: `Use ${server} instead, or add scripts.start to package.json.`,
  }
}

const nextConfigs = ['next.config.js', 'next.config.mjs', 'next.config.ts', 'next.config.cjs']

export const FRAMEWORKS: readonly Framework[] = [
  {
    name: 'Next.js',
    packages: ['next'],
    build: 'next build',
    caches: ['.next/cache'],
    outcome: ({ look }) => {
      const config = nextConfigs.map((name) => look.listing.files.get(name)).find((text) => text !== undefined) ?? ''
      return /\boutput\s*:\s*['"`]export['"`]/.test(config)
        ? { kind: 'site', folders: ['out'] }
        : { kind: 'server', start: 'next start' }
    },
  },
  {
    name: 'Nuxt',
    packages: ['nuxt'],
    build: 'nuxt build',
    caches: ['node_modules/.cache', '.nuxt'],
    outcome: ({ npm }) =>
      /\bnux[ti] generate\b/.test(npm.scripts['build'] ?? '')
        ? { kind: 'site', folders: ['.output/public', 'dist'] }
        : { kind: 'server', start: 'node .output/server/index.mjs' },
  },
  {
    name: 'SvelteKit',
    packages: ['@sveltejs/kit'],
    build: 'vite build',
    outcome: ({ npm }) =>
      adapted({
        npm,
        name: 'SvelteKit',
        server: '@sveltejs/adapter-node',
        // It would take every form for another site's if it did not know where people reach it.
        start: 'ORIGIN="${ORIGIN:-$APP_URL}" exec node build/index.js',
        others: /^(?:@sveltejs|.*svelte-?(?:kit)?)[/-]adapter-(?!static$)/,
        site: { kind: 'site', folders: ['build'] },
      }),
  },
  {
    name: 'Astro',
    packages: ['astro'],
    build: 'astro build',
    outcome: ({ npm }) =>
      adapted({
        npm,
        name: 'Astro',
        server: '@astrojs/node',
        start: 'node ./dist/server/entry.mjs',
        others: /^@astrojs\/(?:vercel|netlify|cloudflare|deno)$/,
        site: { kind: 'site', folders: ['dist'] },
      }),
  },
  {
    name: 'Remix',
    packages: ['@remix-run/serve'],
    build: 'remix vite:build',
    outcome: () => ({ kind: 'server', start: 'remix-serve ./build/server/index.js' }),
  },
  {
    name: 'React Router',
    packages: ['@react-router/dev'],
    build: 'react-router build',
    outcome: ({ look }) =>
      /\bssr\s*:\s*false\b/.test(look.listing.files.get('react-router.config.ts') ?? '')
        ? { kind: 'site', folders: ['build/client'], single: true }
        : { kind: 'server', start: 'react-router-serve ./build/server/index.js' },
  },
  { name: 'Gatsby', packages: ['gatsby'], build: 'gatsby build', outcome: site('public') },
  { name: 'Docusaurus', packages: ['@docusaurus/core'], build: 'docusaurus build', outcome: site('build') },
  {
    name: 'VitePress',
    packages: ['vitepress'],
    build: 'vitepress build',
    script: 'docs:build',
    outcome: site('docs/.vitepress/dist', '.vitepress/dist'),
  },
  {
    name: 'VuePress',
    packages: ['vuepress'],
    build: 'vuepress build docs',
    script: 'docs:build',
    outcome: site('docs/.vuepress/dist', '.vuepress/dist'),
  },
  { name: 'Eleventy', packages: ['@11ty/eleventy'], build: 'eleventy', outcome: site('_site') },
  { name: 'Hexo', packages: ['hexo'], build: 'hexo generate', outcome: site('public') },
  {
    name: 'Create React App',
    packages: ['react-scripts'],
    build: 'react-scripts build',
    outcome: singlePage('build'),
  },
  {
    name: 'Vue CLI',
    packages: ['@vue/cli-service'],
    build: 'vue-cli-service build',
    outcome: singlePage('dist'),
  },
  { name: 'Angular', packages: ['@angular/cli'], build: 'ng build', outcome: singlePage('dist/*/browser', 'dist') },
  {
    name: 'Ember',
    packages: ['ember-cli'],
    build: 'ember build --environment=production',
    outcome: singlePage('dist'),
  },
  { name: 'Parcel', packages: ['parcel'], build: 'parcel build', needs: 'index.html', outcome: site('dist') },
  { name: 'Vite', packages: ['vite'], build: 'vite build', needs: 'index.html', outcome: singlePage('dist') },
]

export function frameworkOf({ look, npm }: { look: Look; npm: PackageJson }): Framework | null {
  const has = (name: string) => npm.dependencies.has(name) || npm.devDependencies.has(name)
  return (
    FRAMEWORKS.find(
      ({ packages, needs }) => packages.some(has) && (needs === undefined || look.listing.paths.has(needs)),
    ) ?? null
  )
}

/** Servers that rebuild while somebody writes: no app is run by them where a build can be made. */
const DEVELOPING = [
  /^next dev\b/,
  /^nux(?:t|i)\b(?! (?:build|generate))/,
  /^astro (?:dev|preview|start)\b/,
  /^vite(?: (?:dev|serve|preview)\b| -|$)/,
  /^svelte-kit (?:dev|preview|start)\b/,
  /^(?:remix(?: vite:)?|react-router) ?dev\b/,
  /^(?:react-scripts|craco|react-app-rewired) start\b/,
  /^vue-cli-service serve\b/,
  /^ng (?:s|serve)\b/,
  /^gatsby (?:develop|start|serve)\b/,
  /^docusaurus (?:start|serve)\b/,
  /^vitepress (?:dev|preview|serve)\b/,
  /^vuepress (?:dev|serve)\b/,
  /^(?:@11ty\/)?eleventy .*--(?:serve|watch)\b/,
  /^hexo (?:s|server)\b/,
  /^parcel (?!build\b)/,
  /^(?:webpack serve|webpack-dev-server)\b/,
  /^ember (?:s|serve|server)\b/,
  /^(?:live-server|lite-server|browser-sync)\b/,
  /^nest start\b/,
]

export function isDeveloping(line: string): boolean {
  const bare = line
    .slice(0, 500)
    .replace(/^(?:cross-env |env )?(?:[A-Za-z_][A-Za-z0-9_]*=\S* )*/, '')
    .replace(/^npx (?:--yes |-y )?/, '')
  return DEVELOPING.some((pattern) => pattern.test(bare))
}
