/** `perennial backup APP`: all that an app keeps, made into files, listed, taken home. */
import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { InvalidArgumentError, type Command } from 'commander'
import type { Client } from '@perennial/client'
import { dial } from '@perennial/client/node'
import { isRefusal, methods, writeOutput, type OutputOf } from '@perennial/protocol'
import { CommandFailed } from '../fail.ts'
import { granted } from '../node-client.ts'
import { table, type Output } from '../output.ts'
import { contextOf, examples } from './context.ts'

interface Options {
  readonly list?: boolean
  readonly download?: string
  readonly id?: string
  readonly part?: Part
}

type Backup = OutputOf<typeof methods.apps.backups>['backups'][number]
type Part = Backup['files'][number]['part']

const ASK_EVERY_MS = 300

export function backup(cli: Command): void {
  cli
    .command('backup <app>')
    .summary('back up what an app keeps, or take a backup home')
    .description(
      `${methods.apps.backup.summary} Files are tar.gz and plain SQL; only whoever administers the app gets them.`,
    )
    .option('--list', 'only say which backups there are')
    .option('--download <path>', 'write its files there: a folder, or a file if it has one part')
    .option('--id <backup>', 'with --download: this backup, instead of one made now')
    .option('--part <part>', 'with --download: only files or database', partOf)
    .addHelpText(
      'after',
      examples(
        'perennial backup hello--octo',
        'perennial backup hello--octo --list',
        'perennial backup hello--octo --download ./hello/',
        'perennial backup hello--octo --id 01938f5e-7a00-7000-8000-000000000000 --part database --download hello.sql.gz',
      ),
    )
    .action(async (app: string, { list, download, id, part }: Options, command: Command) => {
      const { client, out } = await contextOf(command)
      if (list) return showList(client, out, app)
      const made = id === undefined ? await make(client, out, app) : await find(client, app, id)
      const paths = download === undefined ? [] : await takeHome(client, { app, backup: made, to: download, part })
      out.answer([describe(made), ...paths.map((path) => `Written: ${path}`)].join('\n'), {
        id: made.id,
        takenAt: made.takenAt?.toISOString() ?? null,
        files: made.files,
        written: paths,
      })
    })
}

async function showList(client: Client, out: Output, app: string): Promise<void> {
  const answer = granted(await client.call(methods.apps.backups, { app }))
  const rows = answer.backups.map(({ id, state, kind, takenAt, askedAt, files, problem }) => [
    id,
    (takenAt ?? askedAt).toISOString().slice(0, 19).replace('T', ' '),
    state,
    kind,
    files.map(({ part, sizeBytes }) => `${part} ${size(sizeBytes)}`).join(', ') || (problem ?? ''),
  ])
  const text =
    rows.length === 0
      ? `No backups yet: perennial backup ${app}`
      : table(['BACKUP', 'OF (UTC)', 'STATE', 'WHY', 'HOLDS'], rows)
  out.answer(text, writeOutput(methods.apps.backups, answer))
}

/** Made now; when nobody pays for that, the newest that is kept. */
async function make(client: Client, out: Output, app: string): Promise<Backup> {
  const asked = await client.call(methods.apps.backup, { app })
  if (isRefusal(asked) && asked.refusal === 'request-declined/payment-required') {
    const kept = await newest(client, app)
    if (!kept) throw new CommandFailed(asked.sentence, { nextStep: asked.nextStep, refusal: asked.refusal })
    out.note(`${asked.sentence} This is the newest that is kept.`)
    return kept
  }
  const { id } = granted(asked)
  return out.step(`Backing up ${app}`, async () => {
    for (;;) {
      const now = await find(client, app, id)
      if (now.state === 'kept') return now
      if (now.state === 'failed') throw new CommandFailed(now.problem ?? 'No backup was made.')
      await sleep(ASK_EVERY_MS)
    }
  })
}

async function newest(client: Client, app: string): Promise<Backup | undefined> {
  const { backups } = granted(await client.call(methods.apps.backups, { app }))
  return backups.find(({ state }) => state === 'kept')
}

async function find(client: Client, app: string, id: string): Promise<Backup> {
  const { backups } = granted(await client.call(methods.apps.backups, { app }))
  const found = backups.find((one) => one.id === id)
  if (found) return found
  throw new CommandFailed(`${app} has no backup ${id}`, { nextStep: `perennial backup ${app} --list` })
}

async function takeHome(
  client: Client,
  wanted: { app: string; backup: Backup; to: string; part: Part | undefined },
): Promise<string[]> {
  const { app, backup, to, part: only } = wanted
  const parts = backup.files.map(({ part }) => part).filter((part) => only === undefined || part === only)
  if (parts.length === 0) throw new CommandFailed(`the backup has no ${only ?? 'files'}`)
  const isFolder = to.endsWith('/') || ((await stat(to).catch(() => null))?.isDirectory() ?? false)
  if (!isFolder && parts.length > 1)
    throw new CommandFailed(`the backup has ${parts.length} files (${parts.join(', ')})`, {
      nextStep: `name a folder: --download ${to}/ or one of them: --part ${parts[0]}`,
      exitCode: 2,
    })
  const written: string[] = []
  for (const part of parts) {
    const file = granted(await client.call(methods.apps.download, { app, backup: backup.id, part }))
    written.push(await fetchFile(client.origin, file, isFolder ? join(to, file.name) : to))
  }
  return written
}

/** Under another name until it is whole and is what the node said it is. */
async function fetchFile(origin: string, file: OutputOf<typeof methods.apps.download>, path: string): Promise<string> {
  const response = await dial(new URL(file.path, origin))
  if (!response.ok || !response.body) throw new CommandFailed(`${origin} answered ${response.status} and no file`)
  const draft = `${path}.part`
  const hash = createHash('sha256')
  try {
    await pipeline(
      Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]),
      async function* (chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          hash.update(chunk)
          yield chunk
        }
      },
      createWriteStream(draft, { mode: 0o600 }),
    )
    if (hash.digest('hex') !== file.sha256)
      throw new CommandFailed(`what came is not the file that was asked for: its SHA-256 is not ${file.sha256}`)
    await rename(draft, path)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
  return path
}

function describe({ id, takenAt, files }: Backup): string {
  const holds = files.map(({ part, sizeBytes }) => `${part} ${size(sizeBytes)}`).join(', ')
  return `Backup ${id} of ${takenAt?.toISOString().slice(0, 19).replace('T', ' ') ?? 'now'} UTC: ${holds}`
}

function size(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`
}

function partOf(text: string): Part {
  if (text === 'files' || text === 'database') return text
  throw new InvalidArgumentError('it is files or database')
}
