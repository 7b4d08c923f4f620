/**
 * What to fetch of a repository, as people name it:
 *
 *   null                      the branch that the repository itself calls its main one
 *   main, refs/heads/main     a branch          heads/main   a branch, where a tag has the same name
 *   v1.2, refs/tags/v1.2      a tag             tags/v1.2    a tag, where a branch has the same name
 *   4b825dc, 4b825dc642cb…    a commit, by at least seven characters
 *
 * Only what lies on a branch or a tag counts as the repository's: forges also hand out the commits of pull requests
 * and forks, which anyone can make, under the repository's own address.
 */
import { refuse, type Refusal } from '@perennial/protocol'

export type Ref =
  | { readonly kind: 'default' }
  | { readonly kind: 'branch' | 'tag'; readonly name: string }
  /** `prefix`: it may also be the beginning of a commit's id. */
  | { readonly kind: 'name'; readonly name: string; readonly prefix: boolean }
  | { readonly kind: 'commit'; readonly name: string }

/** git's own rule for names, without what means something to a shell, a pattern or a URL. */
const NAME = /^(?!.*(?:\.\.|@\{|\/\/|\.lock(?:$|\/)|\/\.|\.$|\/$))(?!@$)[A-Za-z0-9_@][A-Za-z0-9_./+@#=,-]{0,249}$/
const WHOLE_COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/
const SOME_COMMIT = /^[0-9a-f]{7,63}$/

export function parseRef(text: string | null): Ref | Refusal {
  if (text === null || text === 'HEAD') return { kind: 'default' }
  const [, kind, name = text] = /^(?:refs\/)?(heads|tags)\/(.+)$/.exec(text) ?? []
  if (!NAME.test(name))
    return refuse(
      'client-error/invalid-arguments',
      'That is not the name of a branch, a tag or a commit.',
      'Give one such as main, v1.2 or 4b825dc.',
    )
  if (kind !== undefined) return { kind: kind === 'heads' ? 'branch' : 'tag', name }
  if (text.startsWith('refs/'))
    return refuse(
      'client-error/invalid-arguments',
      `${text} is no branch and no tag. Only what is on one of these is the repository's own.`,
      'Merge it, or deploy the fork that it comes from.',
    )
  if (WHOLE_COMMIT.test(name)) return { kind: 'commit', name }
  return { kind: 'name', name, prefix: SOME_COMMIT.test(name) }
}
