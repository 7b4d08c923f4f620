/** A program of a build asks the package door, as its proxy, for another host: it is told no, and the host is noted. */
import { parseAuthority } from './git-proxy.ts'
import type { Traffic } from './traffic.ts'

/** Enough to say what a build missed; no more than a line of its log. */
const MOST_HOSTS = 8

/** `asked` is what came in place of a path: `host:port` or `http://host/…`. Answers the sentence for the program. */
export function turnAway(traffic: Traffic, asked: string): string {
  const url = asked.includes('://') && asked.length <= 2048 ? URL.parse(asked) : null
  const destination = parseAuthority(
    url ? `${url.hostname}:${url.port || (url.protocol === 'https:' ? 443 : 80)}` : asked,
  )
  if (!destination) return 'This door leads to packages and nowhere else.'
  const host = `${destination.host}:${destination.port}`
  if (traffic.turnedAway.size < MOST_HOSTS) traffic.turnedAway.add(host)
  return `${host} is not reached from a build: packages come through the registry that is set, and nothing else does.`
}
