/** What pip and uv ask of the package door. */
import { preferred } from './asked.ts'
import { parsePythonPath } from './python-path.ts'
import { say, sendFile, sendText, type Exchange } from './send.ts'

const JSON_PAGE = 'application/vnd.pypi.simple.v1+json'
const HTML_PAGE = 'application/vnd.pypi.simple.v1+html'

export async function answerPython(exchange: Exchange): Promise<void> {
  const { req, res, path, origin, bill } = exchange
  const { python } = exchange.shelves
  const asked = parsePythonPath(path)
  if (!asked) return say(res, 404, "this index has projects' pages and files only")
  const { project, file, moved } = asked
  if (moved !== undefined) return void res.writeHead(301, { location: origin + moved }).end()
  if (file !== undefined) {
    const held = await python.file(project, file, bill)
    return held ? await sendFile(exchange, held) : say(res, 404, `${project} has no file ${file}`)
  }
  const type = preferred(req.headers.accept, ['text/html', HTML_PAGE, JSON_PAGE])
  const text = await python.page(project, type === JSON_PAGE ? 'json' : 'html', bill)
  return text ? await sendText(exchange, text, type) : say(res, 404, `there is no project ${project}`)
}
