/**
 * The address of a public repository, as people paste it, and the host name that follows from it.
 *
 *   https://forge.example/owner/repo[.git][/]     forge.example/owner/repo
 *   owner/repo                                     on the default forge
 *   http://127.0.0.1:4000/owner/repo.git           development remotes alone: exact host:port
 *
 * What names a person, an option, another place or another protocol is refused with what to paste instead.
 */
import { isIP } from 'node:net'
import { refuse, type Refusal } from '@perennial/protocol'
import type { Config } from '../config.ts'
import { slugOf } from './slug.ts'

export interface Repository {
  /** What git is given, and what identifies the app: no `.git`, no slash at the end, host in lower case. */
  readonly url: string
  /** `forge.example`, with its port if it is a development remote. */
  readonly forge: string
  /** `owner`, or `group/subgroup` where forges nest them. */
  readonly owner: string
  readonly name: string
  readonly slug: string
  /** The slug is `name--owner` alone; otherwise it carries a hash. */
  readonly clean: boolean
}

type Forges = Pick<Config, 'defaultForge' | 'developmentRemotes'>

const MAX_TEXT_LENGTH = 500
const MOST_SEGMENTS = 6
/** A part of a path: what forges allow in names; no dot or dash in front, so no `..` and no option. */
const SEGMENT = /^[A-Za-z0-9_~][A-Za-z0-9._~-]{0,99}$/
const HOST = /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])$/

export function parseRepository(text: string, forges: Forges): Repository | Refusal {
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
  if (url.search !== '' || url.hash !== '')
    return refuse(
      'client-error/invalid-arguments',
      'The address goes on after the repository.',
      `Paste only ${url.origin}${url.pathname}.`,
    )
  const refused = refuseHost(url, forges)
  if (refused) return refused
  return readPath(url, forges)
}

function withScheme(text: string, { defaultForge, developmentRemotes }: Forges): URL | null {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return URL.parse(text)
  if (/^[^/]+@[^/]+:/.test(text)) return null // ssh's own short form.
  const first = text.slice(0, text.includes('/') ? text.indexOf('/') : text.length)
  const host = first.includes('.') || first.includes(':') ? '' : `${defaultForge}/`
  const forge = (host === '' ? first : defaultForge).toLowerCase()
  return URL.parse(`${developmentRemotes.includes(forge) ? 'http' : 'https'}://${host}${text}`)
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

function readPath(url: URL, forges: Forges): Repository | Refusal {
  const path = url.pathname
    .replace(/^\//, '')
    .replace(/\/$/, '')
    .replace(/(?:\.git)+$/i, '')
  const segments = path.split('/')
  const name = segments.at(-1) ?? ''
  const owner = segments.slice(0, -1).join('/')
  const forge = url.host
  const ordinary =
    segments.length >= 2 && segments.length <= MOST_SEGMENTS && segments.every((part) => SEGMENT.test(part))
  if (!ordinary) return notAnAddress(forges)
  if (forge === forges.defaultForge && segments.length !== 2)
    return refuse(
      'client-error/invalid-arguments',
      `${url.href} leads into a repository, or past it.`,
      `Paste ${url.origin}/${segments[0]}/${segments[1]}.`,
    )
  const canonical = `${url.protocol}//${url.host}/${path}`
  return {
    url: canonical,
    forge,
    owner,
    name,
    ...slugOf({ url: canonical, owner, name, defaultForge: forge === forges.defaultForge }),
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
