/** A repository that is no app here: what it seems to be, and what would have been understood. */
import { dockerBase } from './docker.ts'
import type { Ground } from './draft.ts'
import { planRefusal, type PlanRefusal } from './plan.ts'

/** Names that say what it is instead. */
const OTHERS: readonly (readonly [name: RegExp, what: string])[] = [
  [/^Gemfile$/, 'Ruby'],
  [/^go\.mod$/, 'Go'],
  [/^Cargo\.toml$/, 'Rust'],
  [/^composer\.json$/, 'PHP'],
  [/^(?:pom\.xml|build\.gradle(?:\.kts)?)$/, 'Java'],
  [/^mix\.exs$/, 'Elixir'],
  [/^deno\.jsonc?$/, 'Deno'],
  [/^[\w.-]{1,80}\.(?:csproj|fsproj|sln)$/, '.NET'],
  [/^hugo\.(?:toml|ya?ml|json)$/, 'Hugo'],
  [/^_config\.yml$/, 'Jekyll'],
  [/^(?:docker-)?compose\.ya?ml$/, 'Docker Compose'],
]
const MOST_FOLDERS = 5

export function unknown({ look, root }: Ground, elsewhere: readonly string[]): PlanRefusal {
  const where = root === '' ? 'the top of the repository' : `its folder ${root}`
  const { paths, files } = look.listing
  const dockerfile = files.get('Dockerfile')
  const folders = elsewhere.filter((folder) => folder !== root).slice(0, MOST_FOLDERS)
  const next =
    folders.length > 0
      ? `Deploy one of its folders as root: ${folders.join(', ')}. Or add a package.json, requirements.txt, Procfile, index.html or perennial.json there.`
      : 'Add a package.json, requirements.txt, Procfile, index.html or perennial.json and deploy again.'
  if (dockerfile !== undefined) {
    const base = dockerBase(dockerfile)
    return planRefusal(
      `Only a Dockerfile says how this is built${base === null ? '' : ` (it starts from ${base})`}. Images are not built here: an app is made from its own manifests, so that anyone can make the same again.`,
      next,
      look.missed,
    )
  }
  const seen = OTHERS.flatMap(([name, what]) => {
    const file = [...paths].find((path) => name.test(path))
    return file === undefined ? [] : [`${what} (${file})`]
  })
  const found = seen.length === 0 ? '' : ` It looks like ${seen.join(' and ')}, which this node does not build.`
  return planRefusal(`Nothing at ${where} says how to build or serve it.${found}`, next, look.missed)
}
