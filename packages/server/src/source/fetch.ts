/**
 * Fetching: git in a sandbox whose only way out is the git proxy, onto a scratch disk that the build takes over.
 *
 * One commit, no history, no submodules, no filters, no hooks, https alone. Manifests are read from git's objects,
 * so a link in the tree leads nowhere. Then the tree is checked out and git's own folder removed.
 */
import type { Door, SandboxSpec } from '@perennial/sandbox/client'
import type { Repository } from './repository.ts'
import { LOCKFILES, MANIFESTS } from './fetched.ts'

export const FETCH_LIMITS = {
  timeoutMs: 180_000,
  files: 50_000,
  sizeBytes: 500 * 2 ** 20,
  /** Of each manifest that is read. */
  fileBytes: 262_144,
} as const

export interface FetchAsk {
  /** Of the sandbox. */
  readonly id: string
  readonly scratch: string
  readonly repository: Pick<Repository, 'url'>
  /** Null: the default branch. */
  readonly ref: string | null
  readonly gitProxy: Door
}

/** What git may do at all. Its own files of settings are not there in the sandbox. */
function gitSettings({ repository, gitProxy }: FetchAsk): Record<string, string> {
  return {
    'protocol.allow': 'never',
    'protocol.https.allow': 'always',
    // A development remote; the proxy forwards plain http to no other.
    ...(repository.url.startsWith('http://') && { 'protocol.http.allow': 'always' }),
    'http.proxy': `http://${gitProxy.address}:${gitProxy.port}`,
    'http.followRedirects': 'initial',
    'http.lowSpeedLimit': '1000',
    'http.lowSpeedTime': '30',
    'http.sslCAInfo': '/etc/ssl/certs/ca-certificates.crt',
    'core.hooksPath': '/dev/null',
    'core.attributesFile': '/dev/null',
    'core.fsmonitor': 'false',
    'core.symlinks': 'true',
    'credential.helper': '',
    'fetch.recurseSubmodules': 'false',
    'submodule.recurse': 'false',
    'gc.auto': '0',
    'maintenance.auto': 'false',
    'safe.directory': '*',
    'advice.detachedHead': 'false',
  }
}

/**
 * Prints, each on a line of its own: the commit and its tree, when and what, how many files of how many bytes,
 * the names at the top, and well-known files in base64. Nothing in a repository can imitate a line: names with odd
 * characters are quoted by git, contents are base64.
 */
const SCRIPT = `
set -e
say() { printf '%s\\n' "$*"; }
cd /app
git init --quiet --template= --initial-branch=unborn .
fetch() { git fetch --quiet --depth=1 --no-tags --no-recurse-submodules --no-write-fetch-head -- "$1" "+$REF:refs/fetched"; }
# Not every server knows a repository by both names.
fetch "$REPOSITORY" 2> /tmp/said || { grep -q 'not found' /tmp/said && fetch "$REPOSITORY.git"; } || { cat /tmp/said >&2; exit 1; }
commit=$(git rev-parse --verify --quiet 'refs/fetched^{commit}')
say "commit $commit"
say "tree $(git rev-parse --verify --quiet "$commit^{tree}")"
say "committed $(git log -1 --no-show-signature --format=%ct "$commit" | head -c 20)"
say "subject $(git log -1 --no-show-signature --encoding=UTF-8 --format=%s "$commit" | head -c 1000 | base64 | tr -d '\\n')"
counted=$(git ls-tree -r -l --full-tree "$commit" | awk -v most="$MOST_FILES" '{ files++; bytes += $4 } files > most { exit } END { printf "%d %.0f", files, bytes }')
say "counted $counted"
[ "\${counted% *}" -le "$MOST_FILES" ] && [ "\${counted#* }" -le "$MOST_BYTES" ] || exit 0
git ls-tree --full-tree "$commit" | head -n 2000 > /tmp/top
while IFS='	' read -r about name; do
  kind=\${about%% *} object=\${about##* }
  say "entry $kind $name"
  case "$kind $name" in
    ${[...MANIFESTS, ...LOCKFILES].map((name) => `"100644 ${name}"|"100755 ${name}"`).join('|')}|10*" README"*|10*" Readme"*|10*" readme"*|10*" LICENSE"*|10*" LICENCE"*|10*" COPYING"*) ;;
    *) continue ;;
  esac
  case "$name" in
    ${LOCKFILES.join('|')}) say "lockfile $name $(git cat-file blob "$object" | sha256sum | head -c 64)" ;;
    *) say "file $name" && git cat-file blob "$object" | head -c "$FILE_BYTES" | base64 && say end ;;
  esac
done < /tmp/top
git read-tree "$commit"
git checkout-index --all --force --quiet
rm -rf .git
say done
`

const MIB = 2 ** 20

export function fetchSpec(ask: FetchAsk): SandboxSpec {
  const settings = Object.entries(gitSettings(ask))
  const numbered = settings.flatMap(([key, value], at) => [
    [`GIT_CONFIG_KEY_${at}`, key],
    [`GIT_CONFIG_VALUE_${at}`, value],
  ])
  return {
    id: ask.id,
    image: 'git',
    scratch: ask.scratch,
    writableBytes: 64 * MIB,
    argv: ['sh', '-c', SCRIPT],
    env: {
      ...Object.fromEntries(numbered),
      GIT_CONFIG_COUNT: String(settings.length),
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_TERMINAL_PROMPT: '0',
      GIT_ATTR_NOSYSTEM: '1',
      LC_ALL: 'C',
      REPOSITORY: ask.repository.url,
      REF: ask.ref ?? 'HEAD',
      MOST_FILES: String(FETCH_LIMITS.files),
      MOST_BYTES: String(FETCH_LIMITS.sizeBytes),
      FILE_BYTES: String(FETCH_LIMITS.fileBytes),
    },
    cwd: '/app',
    user: 'app',
    limits: { memoryBytes: 768 * MIB, pids: 64, cpuPercent: 100 },
    network: { doors: [ask.gitProxy] },
  }
}
