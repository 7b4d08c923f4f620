/** For tests: tiny Python packages and an index that serves them, as true or as false as a test makes it. */
import { createHash } from 'node:crypto'
import { crc32, deflateRawSync } from 'node:zlib'
import { openTestRegistry } from './door.ts'

export interface Wheel {
  readonly project: string
  readonly file: string
  readonly bytes: Buffer
  readonly metadata: Buffer
}

/** A wheel of one module that says its name; `zeros` is the size of a data file that packs well. */
export function wheel(
  project: string,
  version: string,
  { requires = [], zeros = 0 }: { requires?: readonly string[]; zeros?: number } = {},
): Wheel {
  const info = `${project}-${version}.dist-info`
  const metadata = [`Metadata-Version: 2.1`, `Name: ${project}`, `Version: ${version}`]
  const files: Record<string, string> = {
    [`${project}.py`]: `name = '${project} ${version}'\n`,
    [`${info}/METADATA`]: [...metadata, ...requires.map((each) => `Requires-Dist: ${each}`), ''].join('\n'),
    [`${info}/WHEEL`]: 'Wheel-Version: 1.0\nGenerator: perennial\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
  }
  files[`${info}/RECORD`] = [...Object.keys(files), `${info}/RECORD`].map((name) => `${name},,\n`).join('')
  return {
    project,
    file: `${project}-${version}-py3-none-any.whl`,
    bytes: zip([
      ...Object.entries(files).map(([name, text]) => stored(name, Buffer.from(text))),
      ...(zeros === 0 ? [] : [packed(`${project}.bin`, Buffer.alloc(zeros))]),
    ]),
    metadata: Buffer.from(files[`${info}/METADATA`] ?? ''),
  }
}

export const sha256Hex = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

interface Entry {
  readonly path: Buffer
  readonly method: 0 | 8
  readonly data: Buffer
  readonly sizeBytes: number
  readonly crc: number
}

function stored(name: string, data: Buffer): Entry {
  return { path: Buffer.from(name), method: 0, data, sizeBytes: data.length, crc: crc32(data) }
}
function packed(name: string, plain: Buffer): Entry {
  return { ...stored(name, plain), method: 8, data: deflateRawSync(plain) }
}

function zip(entries: readonly Entry[]): Buffer {
  const parts: Buffer[] = []
  const central: Buffer[] = []
  let at = 0
  for (const { path, method, data, sizeBytes, crc } of entries) {
    const common = Buffer.alloc(26)
    common.writeUInt16LE(20, 0)
    common.writeUInt16LE(method, 4)
    common.writeUInt16LE(0x21, 8) // 1 January 1980.
    common.writeUInt32LE(crc, 10)
    common.writeUInt32LE(data.length, 14)
    common.writeUInt32LE(sizeBytes, 18)
    common.writeUInt16LE(path.length, 22)
    parts.push(Buffer.from('PK\x03\x04'), common, path, data)
    const rest = Buffer.alloc(14)
    rest.writeUInt32LE((0o100644 << 16) >>> 0, 6)
    rest.writeUInt32LE(at, 10)
    central.push(Buffer.from('PK\x01\x02\x14\x03'), common, rest, path)
    at += 4 + common.length + path.length + data.length
  }
  const directory = Buffer.concat(central)
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(entries.length, 8)
  end.writeUInt16LE(entries.length, 10)
  end.writeUInt32LE(directory.length, 12)
  end.writeUInt32LE(at, 16)
  return Buffer.concat([...parts, directory, end])
}

export interface IndexOptions {
  /** In which form pages come; `json` also has metadata beside each file. */
  readonly form: 'html' | 'json'
  /** What is served in place of a file's bytes. */
  readonly serve?: (wheel: Wheel) => Buffer
}

/** An index of these wheels: pages below /simple/, files below /packages/. */
export async function openTestIndex(wheels: readonly Wheel[], options: IndexOptions) {
  const { form, serve = ({ bytes }) => bytes } = options
  const registry = await openTestRegistry((req, res) => {
    const path = req.url ?? ''
    const page = /^\/simple\/([^/]+)\/$/.exec(path)?.[1]
    const ofProject = wheels.filter(({ project }) => project.replaceAll('_', '-') === page)
    const wanted = wheels.find(({ file }) => path.startsWith(`/packages/${file}`))
    if (page !== undefined && ofProject.length > 0) {
      res.setHeader('content-type', form === 'json' ? 'application/vnd.pypi.simple.v1+json' : 'text/html')
      res.end(form === 'json' ? jsonPage(page, ofProject) : htmlPage(ofProject))
    } else if (wanted) res.end(path.endsWith('.metadata') ? wanted.metadata : serve(wanted))
    else res.writeHead(404).end()
  })
  return { ...registry, url: `${registry.origin}/simple/` }
}

function htmlPage(wheels: readonly Wheel[]): string {
  const links = wheels.map(
    ({ file, bytes }) =>
      `<a href="../../packages/${file}#sha256=${sha256Hex(bytes)}" data-requires-python="&gt;=3.6">${file}</a><br/>`,
  )
  return `<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.1"></head><body>${links.join('\n')}</body></html>`
}

function jsonPage(name: string, wheels: readonly Wheel[]): string {
  const files = wheels.map(({ file, bytes, metadata }) => ({
    filename: file,
    url: `../../packages/${file}`,
    hashes: { sha256: sha256Hex(bytes) },
    'core-metadata': { sha256: sha256Hex(metadata) },
    'requires-python': '>=3.6',
    size: bytes.length,
  }))
  return JSON.stringify({ meta: { 'api-version': '1.1' }, name, versions: ['1.0'], files })
}
