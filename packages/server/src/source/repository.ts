/**
 * The address of a public repository, as people paste it, and the host name that follows from it.
 *
 *   https://forge.example/owner/repo[.git][/]     forge.example/owner/repo
 *   owner/repo                                     on the default forge
 *   git@forge.example:owner/repo.git               ssh's short form, fetched over https
 *   https://forge.example/owner/repo/tree/main/packages/web      pages of forges (paste.ts)
 *   http://127.0.0.1:4000/owner/repo.git           development remotes alone: exact host:port
 *
 * What names a person, an option, another place or another protocol is refused with what to paste instead.
 */
import { isIP } from 'node:net'
import { isRefusal, refuse, type Refusal } from '@perennial/protocol'
import type { Config } from '../config.ts'
import { parseFolder } from './folder.ts'
import { readPage } from './paste.ts'
import { parseRef } from './ref.ts'
import { slugOf } from './slug.ts'

export interface Repository {
  /** What git is given: no `.git`, no slash at the end, host in lower case. With `root` it identifies the app. */
  readonly url: string
  /** `forge.example`, with its port if it is a development remote. */
  readonly forge: string
  /** `owner`, or `group/subgroup` where forges nest them. */
  readonly owner: string
  readonly name: string
  /** The folder that is the app; empty: the repository's top. */
  readonly root: string
  readonly slug: string
  /** The slug is `name--owner` alone; otherwise it carries a hash. */
  readonly clean: boolean
  /** What the address, or whoever gave it, names; null: the default branch. Not part of what identifies the app. */
  readonly ref: string | null
}

type Forges = Pick<Config, 'defaultForge' | 'developmentRemotes'>

/** What was given beside the address; it must not contradict it. */
export interface Beside {
  readonly ref?: string | undefined
  readonly root?: string | undefined
}

const MAX_TEXT_LENGTH = 500
const MOST_SEGMENTS = 24
const MOST_NESTED = 6
/** A part of a path: what forges allow in names; no dot or dash in front, so no `..` and no option. */
const SEGMENT = /^[A-Za-z0-9_~][A-Za-z0-9._~-]{0,99}$/
const HOST = /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])$/
const SSH = /^(?:ssh:\/\/)?git@([A-Za-z0-9.-]{1,253})[:/](?!\d+\/)([^@:]+)$/
/** Where a forge's page was scrolled to, or which tab was open: nothing that is fetched. */
const HARMLESS = /^\?(?:tab=[\w-]{1,40}|ref_type=(?:heads|tags))$/

export function parseRepository(text: string, forges: Forges, beside: Beside = {}): Repository | Refusal {
  const trimmed = text.trim()
  if (trimmed.length === 0 || trimmed.length > MAX_TEXT_LENGTH || /[\p{Cc}\s\\]/u.test(trimmed))
    return notAnAddress(forges)
  const url = withScheme(trimmed, forges)
  if (!url) return notAnAddress(forges)
  if (url.username !== '' || url.password !== '')
    return refuse(
      'client-error/invalid-arguments',
      'The address holds a name or a password. Only public repositories are deployed.',
      'Remove everything before the @.',
    )
  if ((url.search !== '' && !HARMLESS.test(url.search)) || url.hash !== '')
    return refuse(
      'client-error/invalid-arguments',
      'The address goes on after the repository.',
      `Paste only ${url.origin}${url.pathname}.`,
    )
  return refuseHost(url, forges) ?? readPath(url, forges, beside)
}

function withScheme(text: string, { defaultForge, developmentRemotes }: Forges): URL | null {
  const [, host, path] = SSH.exec(text) ?? []
  if (host !== undefined) return URL.parse(`https://${host}/${path}`)
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return URL.parse(text)
  if (/^[^/]+@[^/]+:/.test(text)) return null // Somebody's account on a machine.
  const first = text.slice(0, text.includes('/') ? text.indexOf('/') : text.length)
  const named = first.includes('.') || first.includes(':')
  const forge = (named ? first : defaultForge).toLowerCase()
  const scheme = developmentRemotes.includes(forge) ? 'http' : 'https'
  return URL.parse(`${scheme}://${named ? '' : `${defaultForge}/`}${text}`)
}

function refuseHost(url: URL, { developmentRemotes }: Forges): Refusal | null {
  if (developmentRemotes.includes(hostPort(url)) && (url.protocol === 'http:' || url.protocol === 'https:')) return null
  if (url.protocol !== 'https:')
    return refuse(
      'client-error/invalid-arguments',
      `Repositories are fetched over https, not ${url.protocol.replace(':', '')}.`,
      'Paste the address that starts with https://.',
    )
  if (url.port !== '')
    return refuse(
      'client-error/invalid-arguments',
      `Repositories are fetched from the usual https port, not ${url.port}.`,
      'Paste an address without a port.',
    )
  if (!HOST.test(url.hostname) || isIP(url.hostname) !== 0)
    return refuse(
      'client-error/invalid-arguments',
      `${url.hostname} is not a public host name.`,
      'Paste the address of a public forge.',
    )
  return null
}

function readPath(url: URL, forges: Forges, beside: Beside): Repository | Refusal {
  const parts = decoded(url.pathname)
  if (parts === null || parts.length > MOST_SEGMENTS) return notAnAddress(forges)
  const kind = { bitbucket: url.hostname.startsWith('bitbucket.'), known: beside.ref ?? null }
  const page = readPage(parts, kind)
  if (page.repository.some((part) => part.includes('/'))) return notAnAddress(forges)
  const path = page.repository.join('/').replace(/(?:\.git)+$/i, '')
  const segments = path.split('/')
  // What is stored must be read as the same again.
  const plain = readPage(segments, kind).repository.length === segments.length
  const nested = plain && segments.length >= 2 && segments.length <= MOST_NESTED
  if (!nested || !segments.every((part) => SEGMENT.test(part))) return notAnAddress(forges)
  const canonical = `${url.protocol}//${url.host}/${path}`
  const onDefault = url.host === forges.defaultForge
  if ('is' in page)
    return refuse(
      'client-error/invalid-arguments',
      `That address leads to ${page.is} of ${canonical}.`,
      `Paste ${canonical}, or the page of one of its folders.`,
    )
  if (onDefault && segments.length !== 2)
    return refuse(
      'client-error/invalid-arguments',
      `${url.href} leads into a repository, or past it.`,
      `Paste ${url.origin}/${segments[0]}/${segments[1]}.`,
    )
  const where = agree(page, beside, canonical)
  if (isRefusal(where)) return where
  const [owner, name] = [segments.slice(0, -1).join('/'), segments.at(-1) ?? '']
  // A folder is an app of its own, and its name says so by the hash of all of it.
  const identity = where.root === '' ? canonical : `${canonical}#${where.root}`
  const slug = slugOf({ url: identity, owner, name, defaultForge: onDefault && where.root === '' })
  return { url: canonical, forge: url.host, owner, name, ...where, ...slug }
}

/** What the address and whoever gave it say together. */
function agree(
  page: { readonly ref: string | null; readonly root: string },
  beside: Beside,
  url: string,
): { ref: string | null; root: string } | Refusal {
  const differ = (what: string, one: string, other: string) =>
    refuse(
      'client-error/invalid-arguments',
      `The address names the ${what} ${one}, and beside it ${other} was given.`,
      `Paste ${url} and give the rest beside it.`,
    )
  if (page.ref !== null && beside.ref !== undefined && page.ref !== beside.ref)
    return differ('branch', page.ref, beside.ref)
  const given = parseFolder(beside.root ?? '')
  const pasted = parseFolder(page.root)
  if (given === null || pasted === null)
    return refuse(
      'client-error/invalid-arguments',
      'That folder is not one that can be deployed.',
      'Give one such as packages/web.',
    )
  if (pasted !== '' && given !== '' && pasted !== given) return differ('folder', pasted, given)
  const ref = beside.ref ?? page.ref
  const read = parseRef(ref)
  return isRefusal(read) ? read : { ref: read.kind === 'default' ? null : ref, root: pasted === '' ? given : pasted }
}

/** The parts of a path; a slash that was written as an escape belongs to a name. */
function decoded(pathname: string): string[] | null {
  try {
    return pathname
      .replace(/^\//, '')
      .replace(/\/$/, '')
      .split('/')
      .map((part) => decodeURIComponent(part))
  } catch {
    return null // An escape that is none.
  }
}

/** As development remotes and the default forge are written. */
function hostPort(url: URL): string {
  return `${url.hostname}:${url.port || (url.protocol === 'http:' ? '80' : '443')}`
}

function notAnAddress({ defaultForge }: Forges): Refusal {
  return refuse(
    'client-error/invalid-arguments',
    'That is not the address of a repository.',
    `Paste one such as https://${defaultForge}/owner/repo.`,
  )
}
