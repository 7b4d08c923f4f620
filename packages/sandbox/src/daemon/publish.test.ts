import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { publish, publishFirst } from './publish.ts'

test('a name is given to a finished file, and the first keeps it where others may use it', async () => {
  const folder = mkdtempSync('/tmp/perennial-publish-')
  const as = join(folder, 'image')
  const made = (text: string) => {
    const file = join(folder, `made-${text}`)
    writeFileSync(file, text)
    return file
  }
  try {
    await publishFirst({ file: made('first'), as })
    await publishFirst({ file: made('second'), as })
    assert.equal(readFileSync(as, 'utf8'), 'first')
    await publish({ file: made('third'), as })
    assert.equal(readFileSync(as, 'utf8'), 'third')
  } finally {
    rmSync(folder, { recursive: true })
  }
})
