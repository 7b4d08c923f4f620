/** Static sites: where builds leave them, and how they are served. */

/** Where the tools people use put a finished site; the first that holds an index.html is taken. */
export const SITE_FOLDERS = ['dist', 'build', 'out', '_site', 'public', 'dist/*/browser', '.'] as const

const FOLDER = '.perennial/site'

/** A last step in the build's own sandbox, so that whatever the build planted is judged inside. */
const COLLECT = `
rm -rf .perennial && mkdir -p .perennial || exit 1
for folder in ${SITE_FOLDERS.filter((folder) => folder !== '.').join(' ')}; do
  if [ -d "$folder" ] && [ ! -L "$folder" ] && [ -f "$folder/index.html" ]; then
    echo "The site is in $folder."
    exec mv "$folder" ${FOLDER}
  fi
done
if [ -f index.html ]; then
  echo "The site is at the top of the repository."
  mkdir ${FOLDER}
  exec find . -mindepth 1 -maxdepth 1 ! -name .perennial ! -name node_modules ! -name lost+found -exec mv {} ${FOLDER}/ ';'
fi
echo "No index.html was found in ${SITE_FOLDERS.join(', ')}." >&2
exit 1
`

export const COLLECT_SITE = { argv: ['sh', '-c', COLLECT], folder: FOLDER } as const

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
