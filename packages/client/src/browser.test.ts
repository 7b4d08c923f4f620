import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

/** Every file that `entry` brings along, itself included, and every package that those name. */
async function reached(entry: URL, found = new Map<string, string[]>()): Promise<Map<string, string[]>> {
  if (found.has(entry.href)) return found
  const source = await readFile(entry, 'utf8')
  const names = [...source.matchAll(/^(?:import|export)[^'"]*?from '([^']+)'/gms)].map((match) => match[1]!)
  found.set(
    entry.href,
    names.filter((name) => !name.startsWith('.')),
  )
  for (const name of names.filter((one) => one.startsWith('.'))) await reached(new URL(name, entry), found)
  return found
}

test('the client and the protocol bring nothing of Node along, so pages can use them', async () => {
  for (const entry of ['./index.ts', '../../protocol/src/index.ts']) {
    const files = await reached(new URL(entry, import.meta.url))
    assert.ok(files.size >= 5, 'the control: it follows imports')
    for (const [file, packages] of files) {
      const foreign = packages.filter((name) => name !== 'zod' && name !== '@perennial/protocol')
      assert.deepEqual(foreign, [], fileURLToPath(file))
      assert.doesNotMatch(
        await readFile(new URL(file), 'utf8'),
        /\b(?:process|Buffer|require)\b[.(]/,
        fileURLToPath(file),
      )
    }
  }
  const node = await reached(new URL('./node.ts', import.meta.url))
  assert.ok([...node.values()].flat().includes('node:http'), 'the control: it would notice')
})
