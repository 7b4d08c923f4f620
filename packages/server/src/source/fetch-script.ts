/**
 * What a fetch runs: a shell's script in a sandbox with git.
 *
 * It prints, each on a line of its own, what `read-fetch.ts` reads. Nothing in a repository can imitate a line: names
 * with odd characters are quoted by git or left out, contents are base64. What cannot be is said as `problem word`.
 *
 * First the refs are asked for, so that a name means one thing. A commit that no ref names is looked for in the
 * history of all branches and tags, without files; so it is known to be the repository's own.
 */
import { LOCKFILES, MANIFESTS } from './fetched.ts'

const LOOKED_FOR = 'package\\.json|index\\.html|requirements\\.txt|pyproject\\.toml|Procfile|perennial\\.json'

const RESOLVE = `
say() { printf '%s\\n' "$*"; }
problem() { say "problem $*"; exit 0; }
case $REF_KIND in
  branch) set -- "refs/heads/$REF" ;;
  tag) set -- "refs/tags/$REF" "refs/tags/$REF^{}" ;;
  name) set -- "refs/heads/$REF" "refs/tags/$REF" "refs/tags/$REF^{}" ;;
  commit) set -- 'refs/heads/*' 'refs/tags/*' ;;
  *) set -- ;;
esac
remote=$REPOSITORY
ask() { git ls-remote --symref -- "$remote" HEAD "$@" > /tmp/refs; }
# Not every server knows a repository by both names.
ask "$@" 2> /tmp/said || { grep -q 'not found' /tmp/said && remote=$REPOSITORY.git && ask "$@"; } || { cat /tmp/said >&2; exit 1; }
at() { awk -v name="$1" '$1 != "ref:" && $2 == name { print $1; exit }' /tmp/refs; }
head=$(awk '$1 == "ref:" && $3 == "HEAD" { print $2; exit }' /tmp/refs)
branch=$(at "refs/heads/$REF")
tag=$(at "refs/tags/$REF^{}")
[ -n "$tag" ] || tag=$(at "refs/tags/$REF")

search() {
  git init --quiet --template= --bare .history
  git -C .history fetch --quiet --no-tags --no-recurse-submodules --no-write-fetch-head --filter=tree:0 -- "$remote" '+refs/heads/*:refs/heads/*' '+refs/tags/*:refs/tags/*'
  # Every commit that begins so, and lies on a branch or a tag.
  git -C .history rev-list --all | awk -v start="$REF" 'index($0, start) == 1' | head -n 6 > /tmp/commits
  rm -rf .history
  [ -s /tmp/commits ] || problem "$1"
  [ "$(wc -l < /tmp/commits)" -eq 1 ] || problem "many-commits $(tr '\\n' ' ' < /tmp/commits)"
  want=$(cat /tmp/commits)
}
ref=
case $REF_KIND in
  default)
    want=$(at HEAD)
    [ -n "$want" ] || problem empty
    ref=$head ;;
  commit)
    if awk -v id="$REF" '$1 == id { found = 1 } END { exit !found }' /tmp/refs; then want=$REF; else search off-branch; fi ;;
  *)
    if [ -n "$branch" ] && [ -n "$tag" ] && [ "$branch" != "$tag" ]; then problem both; fi
    if [ -n "$branch" ]; then want=$branch ref=refs/heads/$REF
    elif [ -n "$tag" ]; then want=$tag ref=refs/tags/$REF
    elif [ -n "$REF_PREFIX" ]; then search no-ref
    else problem no-ref
    fi ;;
esac
`

const FETCH = `
git init --quiet --template= --initial-branch=unborn .
# A pack that goes on for ever ends here, not at the end of the disk.
ulimit -f "$FILE_BLOCKS"
git fetch --quiet --depth=1 --no-tags --no-recurse-submodules --no-write-fetch-head -- "$remote" "+$want:refs/fetched"
commit=$(git rev-parse --verify --quiet 'refs/fetched^{commit}') || problem not-a-commit
say "commit $commit"
say "ref $ref"
say "tree $(git rev-parse --verify --quiet "$commit^{tree}")"
say "committed $(git log -1 --no-show-signature --format=%ct "$commit" | head -c 20)"
say "subject $(git log -1 --no-show-signature --encoding=UTF-8 --format=%s "$commit" | head -c 1000 | base64 | tr -d '\\n')"
say object
git cat-file commit "$commit" | head -c 65536 | base64
say end
counted=$(git ls-tree -r -l --full-tree "$commit" | awk -v most="$MOST_FILES" '{ files++; bytes += $4 } files > most { exit } END { printf "%d %.0f", files, bytes }')
say "counted $counted"
[ "\${counted% *}" -le "$MOST_FILES" ] && [ "\${counted#* }" -le "$MOST_BYTES" ] || exit 0
`

const LIST = `
# Our own manifest may name the folder; one that is written oddly is found out when it is read properly.
if [ -z "$ROOT" ]; then
  own=$(git cat-file blob "$commit:perennial.json" 2> /dev/null | head -c 65536 | tr -d '\\r\\n' | sed -n 's|.*"root"[ 	]*:[ 	]*"\\([A-Za-z0-9_@+~.,=/-]*\\)".*|\\1|p') || own=
  case "/$own/" in *//*|*/../*|*/./*|*/-*) ;; *) [ "$(git cat-file -t "$commit:$own" 2> /dev/null)" = tree ] && ROOT=$own ;; esac
fi
say "root $ROOT"
[ -z "$ROOT" ] || [ "$(git cat-file -t "$commit:$ROOT" 2> /dev/null)" = tree ] || problem no-folder
left=$ALL_BYTES
list() {
  git ls-tree "$1" | head -n 2000 > /tmp/list
  while IFS='	' read -r about name; do
    kind=\${about%% *} object=\${about##* }
    say "entry $kind $name"
    case "$kind $name" in
      ${LOCKFILES.map((name) => `"100644 ${name}"|"100755 ${name}"`).join('|')})
        say "lockfile $name $(git cat-file blob "$object" | sha256sum | head -c 64) $(git cat-file blob "$object" | head -c 300 | base64 | tr -d '\\n')" ;;
    esac
    case "$kind $name" in
      ${MANIFESTS.map((name) => `"100644 ${name}"|"100755 ${name}"`).join('|')}|10*" README"*|10*" Readme"*|10*" readme"*|10*" LICENSE"*|10*" LICENCE"*|10*" License"*|10*" license"*|10*" COPYING"*) ;;
      *) continue ;;
    esac
    size=$(git cat-file -s "$object")
    [ "$size" -le "$FILE_BYTES" ] || size=$FILE_BYTES
    left=$((left - size))
    if [ "$left" -ge 0 ]; then say "file $name" && git cat-file blob "$object" | head -c "$FILE_BYTES" | base64 && say end; fi
  done < /tmp/list
}
say folder
list "$commit:$ROOT"
if [ -n "$ROOT" ]; then say top && list "$commit"; fi
git ls-tree -r --full-tree "$commit" > /tmp/all
awk -F '	' '$1 ~ /^160000 / { print "submodule " $2 }' /tmp/all | head -n 20
sed -n 's/^10[0-9]* [^	]*	//p' /tmp/all | grep -E '^([A-Za-z0-9_@+~.,=-]+/){1,3}(${LOOKED_FOR})$' | grep -v node_modules | sed 's|/[^/]*$||' | awk '!seen[$0]++ { print "elsewhere " $0 }' | head -n 20
git read-tree "$commit"
git checkout-index --all --force --quiet
rm -rf .git
if find . -name lost+found -prune -o -name .gitattributes -type f -exec cat {} + | grep -q 'filter=lfs'; then
  say lfs
  find . -name lost+found -prune -o -type f -size -400c -exec grep -l '^version https://git-lfs.github.com/spec/v1' {} + | head -n 20 | head -c 4000 | base64
  say end
fi
say done
`

export const FETCH_SCRIPT = `set -e\ncd /app\n${RESOLVE}${FETCH}${LIST}`

/** Which commit a name means just now, and no more. */
export const LOOK_SCRIPT = `set -e\ncd /tmp\n${RESOLVE}
say "commit $want"
say "ref $ref"
say done
`
