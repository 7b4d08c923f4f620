/** Says what a confined process is and may: read by ordinary-user.test.ts. */
import { readFileSync, writeFileSync } from 'node:fs'

const status = readFileSync('/proc/self/status', 'utf8')
const field = (name: string) => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)?.[1]

function tryToWrite(): string {
  try {
    writeFileSync(new URL('planted.ts', import.meta.url), '')
    return 'written'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  }
}

console.log(
  JSON.stringify({
    uid: process.getuid?.(),
    privileges: { NoNewPrivs: field('NoNewPrivs'), CapEff: field('CapEff'), CapBnd: field('CapBnd') },
    write: tryToWrite(),
    secrets: Object.keys(process.env).filter((name) => /TOKEN|SECRET|PASSWORD|^HOME_/.test(name)),
  }),
)
