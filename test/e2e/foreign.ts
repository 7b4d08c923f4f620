/** Applications that nobody here wrote: their sources, as they lie in packages of npm's registry. */
import { execFileSync } from 'node:child_process'
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import type { Files } from '@perennial/testnet'

export interface Foreign {
  /** Name and exact version. */
  readonly spec: string
  /** Of the package; what lies below it becomes the repository. */
  readonly folder?: string
  /** Names that the package's own generator gives its files, because npm cannot carry them. */
  readonly renamed?: Readonly<Record<string, string>>
}

export function foreignSources({ spec, folder = '.', renamed = {} }: Foreign): Files {
  const work = mkdtempSync(join(tmpdir(), 'perennial-foreign-'))
  try {
    const printed = execFileSync('npm', ['pack', '--json', '--silent', spec], { cwd: work, encoding: 'utf8' })
    const [{ filename } = { filename: '' }] = Object.values(JSON.parse(printed) as { filename: string }[])
    execFileSync('tar', ['-xzf', filename], { cwd: work })
    const root = join(work, 'package', folder)
    const paths = readdirSync(root, { recursive: true, encoding: 'utf8' }).map((path) => join(root, path))
    const files = paths.filter((path) => lstatSync(path).isFile())
    return Object.fromEntries(
      files.map((path) => {
        const name = relative(root, path)
        return [renamed[name] ?? name, readFileSync(path)]
      }),
    )
  } finally {
    rmSync(work, { recursive: true })
  }
}
