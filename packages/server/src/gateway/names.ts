/**
 * What may be written into HAProxy's configuration and runtime commands: nothing that is not one of these.
 *
 * Every name that reaches either passes here first. A space, a quote, a `;`, a `#` or a line break in one of them
 * would be a command of someone else's choice, so a name that does not fit is an Error, never escaped.
 */
const HOST = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/
const APP = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/
const PATH = /^\/[A-Za-z0-9/._-]{1,95}$/ // A unix socket's path holds 107 bytes; HAProxy adds up to 10 while it binds.

export interface Endpoint {
  readonly address: string
  readonly port: number
}

export function hostName(text: string): string {
  return fits(text, HOST, 'a host name in lower case')
}

export function appId(text: string): string {
  return fits(text, APP, "an app's id")
}

export function path(text: string): string {
  return fits(text, PATH, 'an absolute path of at most 96 plain characters')
}

export function endpoint({ address, port }: Endpoint): Endpoint {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error(`${port} is not a TCP port`)
  return { address: fits(address, IPV4, 'an IPv4 address'), port }
}

/** The name of an endpoint's server in HAProxy, the same each time: `10-77-0-5-8080`. */
export function serverName(of: Endpoint): string {
  const { address, port } = endpoint(of)
  return `${address.replaceAll('.', '-')}-${port}`
}

/** The endpoint that `serverName` named. */
export function endpointOf(name: string): Endpoint {
  const parts = name.split('-')
  return endpoint({ address: parts.slice(0, 4).join('.'), port: Number(parts[4]) })
}

function fits(text: string, pattern: RegExp, what: string): string {
  if (!pattern.test(text) || text.includes('\n'))
    throw new Error(`${JSON.stringify(text.slice(0, 100))} is not ${what}`)
  return text
}
