/**
 * HAProxy's whole configuration, from one template.
 *
 * It holds nothing that changes while the node runs: which host belongs to which app and where that app listens are
 * told through the runtime socket. An empty slot's only server is the activator, so a request that comes before its
 * app's server is known, or after that server refused a connection, is held there and never lost.
 */
import { createHash } from 'node:crypto'
import { endpoint, hostName, path } from './names.ts'

export interface Template {
  readonly listen: { readonly host: string; readonly port: number }
  /** The node's own names, exact. */
  readonly hosts: readonly string[]
  /** Apps are `<one label>.<this>`. */
  readonly appsDomain: string
  /** Where sockets, map and configuration lie. */
  readonly folder: string
  /** The unix socket of the node's own web server. */
  readonly webSocketPath: string
  /** How many apps can be awake at once; each empty slot costs 15 KB. */
  readonly slots: number
  readonly threads: number
  /** Connections of all clients together; HAProxy needs about twice as many descriptors. */
  readonly connections: number
  /** Requests of one app under way at once; beyond, 429. */
  readonly perApp: number
  /** What one client address may do. Loopback is exempt: a proxy in front speaks for everyone. */
  readonly perClient: {
    /** At once; beyond, refused. */
    readonly connections: number
    /** To one app, under way at once; beyond, 429. Less than `perApp`, so that nobody alone takes all of an app. */
    readonly toOneApp: number
    /** A second, over ten seconds; beyond, 429, and at twice that, or as many new connections, refused. */
    readonly requestsPerSecond: number
  }
}

export const METERS = 'meters'
export const ACTIVATOR = 'activator'
export const slotName = (index: number): string => `app${index}`

export const files = (folder: string) => ({
  config: path(`${folder}/haproxy.cfg`),
  map: path(`${folder}/hosts.map`),
  pid: path(`${folder}/haproxy.pid`),
  runtime: path(`${folder}/runtime.sock`),
  master: path(`${folder}/master.sock`),
  activator: path(`${folder}/activator.sock`),
})

/** Told to HAProxy as its description: a running one shows which configuration it runs, and how many slots it has. */
export function fingerprint(template: Template): string {
  return createHash('sha256')
    .update(body({ ...template, slots: 1 }))
    .digest('hex')
    .slice(0, 16)
}

export function render(template: Template): string {
  return body(template).replace('<fingerprint>', `"${fingerprint(template)} ${template.slots}"`)
}

function body(t: Template): string {
  const file = files(t.folder)
  const own = t.hosts.map(hostName).join(' ')
  const domain = hostName(t.appsDomain)
  const listen = endpoint({ address: t.listen.host === 'localhost' ? '127.0.0.1' : t.listen.host, port: t.listen.port })
  const aLabelOf = `^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.${domain.replaceAll('.', '\\.')}$`
  const perTenSeconds = 10 * whole(t.perClient.requestsPerSecond)
  const slots = Array.from({ length: whole(t.slots) }, (_, index) =>
    [`backend ${slotName(index)}`, '  balance random(2)', `  server ${ACTIVATOR} unix@${file.activator} backup`].join(
      '\n',
    ),
  )
  return `# Written by the node at each start; changes made here are lost. The template is gateway/template.ts.
global
  description <fingerprint>
  maxconn ${whole(t.connections)}
  nbthread ${whole(t.threads)}
  noreuseport
  hard-stop-after 6h
  stats socket ${file.runtime} mode 600 level admin expose-fd listeners
  stats timeout 30s
  tune.bufsize 16384
  tune.maxrewrite 2048
  tune.http.maxhdr 100

defaults
  mode http
  option contstats
  option idle-close-on-response
  option redispatch 1
  # Who leaves before the answer ends the request at the app, too. A client that closes its sending side has left.
  option abortonclose
  retries 3
  retry-on conn-failure
  http-reuse safe
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  timeout queue 30s
  timeout tunnel 1h
  timeout client-fin 10s
  timeout http-request 10s
  timeout http-keep-alive 60s
${errorPages()}

backend ${METERS}
  stick-table type string len 40 size 100k expire 24h store conn_cur,http_req_cnt,bytes_in_cnt,bytes_out_cnt

backend clients
  stick-table type ip size 100k expire 60s store conn_cur,conn_rate(10s),http_req_rate(10s)

# One client address at one app.
backend pairs
  stick-table type string len 64 size 100k expire 60s store conn_cur

frontend everyone
  bind ${listen.address}:${listen.port} proto h1
  tcp-request connection track-sc1 src table clients unless { src 127.0.0.0/8 }
  tcp-request connection reject if { sc1_conn_cur gt ${whole(t.perClient.connections)} } or { sc1_conn_rate gt ${perTenSeconds} }
  http-request reject if { sc1_http_req_rate gt ${2 * perTenSeconds} }
  http-request return status 429 content-type text/plain hdr Retry-After 10 string "Too many requests from this address." if { sc1_http_req_rate gt ${perTenSeconds} }
  # A name and perhaps a port: of what else may stand there, each reader takes another part for the name.
  http-request return status 421 content-type text/plain string "${noSite}" unless { req.fhdr(host) -m reg ^[A-Za-z0-9.-]{1,253}(:[0-9]{0,5})?$ }
  http-request set-var(txn.host) req.fhdr(host),host_only,lower
  http-request set-var(txn.own) bool(true) if { var(txn.host) -m str ${own} }
  # The app is counted as busy before its route is looked up: who changes the route and then reads "nothing under
  # way" knows that nobody is left on the old one.
  http-request set-var(txn.app) var(txn.host),map_str(${file.map},""),word(1,/)
  http-request return status 421 content-type text/plain string "${noSite}" unless { var(txn.own) -m bool } or { var(txn.app) -m len gt 1 } or { var(txn.host) -m reg ${aLabelOf} }
  http-request track-sc0 var(txn.app) table ${METERS} if { var(txn.app) -m len gt 1 }
  http-request set-var(txn.slot) var(txn.host),map_str(${file.map},""),word(2,/)
  http-request return status 429 content-type text/plain hdr Retry-After 5 string "This app answers as many requests as it can." if { sc0_conn_cur gt ${whole(t.perApp)} }
  http-request set-var(txn.pair) src,concat(/,txn.app) if { var(txn.app) -m len gt 1 } !{ src 127.0.0.0/8 }
  http-request track-sc2 var(txn.pair) table pairs if { var(txn.pair) -m found }
  http-request return status 429 content-type text/plain hdr Retry-After 5 string "This app answers this address as many requests as it can." if { sc2_conn_cur gt ${whole(t.perClient.toOneApp)} }
  # What only a proxy may say is said by this one. Names with an underscore reach CGI-like apps as the same variable.
  http-request del-header x-forwarded- -m beg
  http-request del-header x-perennial- -m beg
  http-request del-header _ -m sub
  http-request del-header forwarded
  http-request del-header x-real-ip
  http-request del-header upgrade unless { req.hdr(upgrade) -i websocket }
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.fhdr(host)]
  http-request set-header X-Request-Id %[uuid()]
  http-request set-header X-Perennial-App %[var(txn.app)] if { var(txn.app) -m len gt 1 }
  # A cookie is for who set it: with a domain it would be sent to all other apps, in the place of their own.
  http-response replace-header Set-Cookie '${cookieDomain}' '\\1\\2' unless { var(txn.own) -m bool }
  http-response replace-header Set-Cookie '${cookieDomain}' '\\1\\2' unless { var(txn.own) -m bool }
  use_backend node if { var(txn.own) -m bool }
  use_backend %[var(txn.slot)] if { var(txn.slot) -m len gt 1 }
  default_backend ${ACTIVATOR}

# A node that starts again is back within seconds: its clients wait as long.
backend node
  retries 15
  server web unix@${path(t.webSocketPath)} pool-purge-delay 2s

backend ${ACTIVATOR}
  retries 15
  server ${ACTIVATOR} unix@${file.activator} pool-purge-delay 2s

${slots.join('\n')}
`
}

const noSite = 'This address serves no site of that name.'

/** The attribute `Domain`, whatever its case, and what is before and behind it. Applied twice, since it may be given twice. */
const cookieDomain = '(?i)^(.*?);[[:space:]]*domain[[:space:]]*=[^;]*(.*)$'

/** What HAProxy says when it has to answer itself; each is one sentence and what to do. */
function errorPages(): string {
  const pages: Record<number, string> = {
    400: 'This request is not valid HTTP, or its headers are longer than 14 KB.',
    408: 'The request did not arrive in time.',
    502: 'The app broke off its answer. Its log says more; try again.',
    503: 'The app does not answer at the moment. Try again in a few seconds.',
    504: 'The app took longer than a minute to answer.',
  }
  return Object.entries(pages)
    .map(
      ([status, text]) =>
        `  http-error status ${status} content-type text/plain hdr Cache-Control no-store string "${text}"`,
    )
    .join('\n')
}

function whole(number: number): number {
  if (!Number.isSafeInteger(number) || number < 1) throw new Error(`${number} is not a positive whole number`)
  return number
}
