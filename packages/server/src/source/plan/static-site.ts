/** Static sites: where builds leave them, and how they are served. */

/** Where the tools people use put a finished site; the first that holds an index.html is taken. */
export const SITE_FOLDERS = ['dist', 'build', 'out', '_site', 'public', 'dist/*/browser', 'site', 'www'] as const

/** Where the site lies when the build is over. */
export const SITE = '.perennial/site'

export interface Collect {
  /** Looked into in this order; the repository's own top comes last, unless `only`. */
  readonly folders: readonly string[]
  readonly only?: boolean
  /** One page whose own program knows every path: it answers for those that are no file. */
  readonly single?: boolean
}

/** The rule by which sites say elsewhere that they are a single page. */
const SINGLE_PAGE = "grep -q '^/[*] */index.html *200' _redirects 2> /dev/null"

/** A last step in the build's own sandbox, so that whatever the build planted is judged inside. */
export function collectSite({ folders, only = false, single = false }: Collect): readonly string[] {
  // A pattern must stay one for the shell; other names are words and no more.
  const words = folders.map((folder) => (folder.includes('*') ? folder : `'${folder}'`)).join(' ')
  const top = `
if [ -z "$from" ] && [ -f index.html ]; then
  echo "The site is at the top of the repository."
  mkdir ${SITE}
  find . -mindepth 1 -maxdepth 1 ! -name .perennial ! -name node_modules ! -name .venv ! -name lost+found -exec mv {} ${SITE}/ ';'
  from=.
fi`
  const script = `
rm -rf .perennial && mkdir -p .perennial || exit 1
from=
for folder in ${words}; do
  if [ -d "$folder" ] && [ ! -L "$folder" ] && [ -f "$folder/index.html" ]; then
    echo "The site is in $folder."
    mv "$folder" ${SITE} || exit 1
    from=$folder
    break
  fi
done
${only ? '' : top}
if [ -z "$from" ]; then
  echo "No index.html was found in ${folders.join(', ')}${only ? '' : ' or at the top'}." >&2
  exit 1
fi
cd ${SITE}
# A page for what is not there, as other hosts of sites have it.
if [ -e 404.html ]; then :
elif [ -f 200.html ]; then cp 200.html 404.html
elif ${single ? 'true' : SINGLE_PAGE}; then cp index.html 404.html
fi
`
  return ['sh', '-c', script]
}

/** What browsers refuse to run or show under busybox's own guess. */
const TYPES = [
  '.js:text/javascript',
  '.mjs:text/javascript',
  '.json:application/json',
  '.map:application/json',
  '.webmanifest:application/manifest+json',
  '.wasm:application/wasm',
  '.xml:application/xml',
  '.pdf:application/pdf',
  '.ico:image/x-icon',
  '.webp:image/webp',
  '.avif:image/avif',
  '.woff:font/woff',
  '.woff2:font/woff2',
  '.ttf:font/ttf',
  '.mp4:video/mp4',
  '.webm:video/webm',
]

/**
 * busybox's httpd: under a megabyte of memory per site. Its settings lie in /tmp, where a repository cannot put others.
 * It would run what lies in /cgi-bin; behind a password that nothing matches, it does not.
 */
export const SERVE_SITE: readonly string[] = [
  'sh',
  '-c',
  `printf '%s\\n' ${[...TYPES, 'E404:/app/404.html', '/cgi-bin:nobody:*'].map((line) => `'${line}'`).join(' ')} > /tmp/httpd.conf; exec busybox httpd -f -p "$PORT" -h /app -c /tmp/httpd.conf`,
]
