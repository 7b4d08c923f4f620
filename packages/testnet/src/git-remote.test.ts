import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { promisify } from 'node:util'
import { gitRemote } from './git-remote.ts'

test('git clones what was committed, links and executables included, and sees later commits', async () => {
  await using remote = await gitRemote({
    repositories: {
      'octo/hello': {
        'index.html': '<h1>Hello</h1>',
        'a b/ü.txt': 'x',
        passwd: { link: '/etc/passwd' },
        tool: { run: '#!/bin/sh\n' },
      },
    },
  })
  const folder = mkdtempSync(join(tmpdir(), 'perennial-clone-'))
  const git = (...argv: string[]) => execute('git', ['-c', 'safe.directory=*', ...argv], folder)
  try {
    await git('clone', '--quiet', remote.url('octo/hello'), 'hello')
    assert.equal(readFileSync(join(folder, 'hello/index.html'), 'utf8'), '<h1>Hello</h1>')
    assert.equal(readFileSync(join(folder, 'hello/a b/ü.txt'), 'utf8'), 'x')
    assert.equal(readlinkSync(join(folder, 'hello/passwd')), '/etc/passwd')
    const commit = await remote.commit('octo/hello', { 'index.html': 'Bye', tool: null }, 'say bye')
    await git('-C', 'hello', 'pull', '--quiet')
    assert.equal((await git('-C', 'hello', 'rev-parse', 'HEAD')).trim(), commit)
    await assert.rejects(git('clone', '--quiet', remote.url('octo/nothing'), 'nothing'))
  } finally {
    rmSync(folder, { recursive: true })
  }
})

async function execute(command: string, argv: string[], cwd: string): Promise<string> {
  return (await promisify(execFile)(command, argv, { cwd })).stdout
}
