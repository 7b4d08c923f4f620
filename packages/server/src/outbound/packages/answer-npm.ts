/** What npm, pnpm and Yarn ask of the package door. */
import { preferred } from './asked.ts'
import { parseNpmPath } from './npm-path.ts'
import { say, sendFile, sendText, type Exchange } from './send.ts'

const SHORT = 'application/vnd.npm.install-v1+json'
const FULL = 'application/json'

export async function answerNpm(exchange: Exchange): Promise<void> {
  const { req, res, path, bill } = exchange
  const { npm } = exchange.shelves
  const asked = parseNpmPath(path)
  if (!asked) return say(res, 404, 'this registry has package documents and tarballs only')
  const { name, file, version } = asked
  if (file !== undefined) {
    const held = await npm.tarball(name, file, bill)
    return held ? await sendFile(exchange, held) : say(res, 404, `${name} has no file ${file}`)
  }
  if (version !== undefined) {
    const text = await npm.version(name, version, bill)
    return text ? await sendText(exchange, text, FULL) : say(res, 404, `there is no ${name} ${version}`)
  }
  const type = preferred(req.headers.accept, [FULL, SHORT])
  const text = await npm.document(name, type === SHORT ? 'short' : 'full', bill)
  return text ? await sendText(exchange, text, type) : say(res, 404, `there is no package ${name}`)
}
