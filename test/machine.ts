/**
 * Makes this machine ready for tests that start real things: Debian packages, the user `perennial`, runtime images.
 *
 * As anybody but root there is no memory limit, no mount and no package, so the tests could only pretend:
 * they say the one command instead and exit with 2.
 */
import { availableParallelism } from 'node:os'
import { imageNames } from '../packages/sandbox/src/client/index.ts'
import { openTestSandbox } from '../packages/sandbox/src/testing.ts'
import { installPackages, missingPackages } from '../packages/cli/src/bootstrap/debian.ts'
import { neededPackages, type DebianPackage } from '../packages/cli/src/bootstrap/needs.ts'
import { asRoot, clone } from '../packages/cli/src/bootstrap/places.ts'
import { findUser, makeUser, USER } from '../packages/cli/src/bootstrap/user.ts'

export const browser: readonly DebianPackage[] = [{ name: 'chromium', why: 'opens the pages as a person would' }]
export const gitServer: readonly DebianPackage[] = [
  { name: 'git', why: 'serves the repositories that tests deploy from' },
]

/** Ends the process with 2 for an ordinary user. `script` is the file to run as root, relative to the clone. */
export function needRoot(script: string): void {
  if (process.getuid?.() === 0) return
  console.error(
    `The tests start sandboxes, mounts and network namespaces, which takes root. Run: ` +
      asRoot(`${clone}/packages/cli/bin/node ${clone}/${script}`),
  )
  process.exit(2)
}

/** Installs what is missing, after saying what and why. A second call does nothing and takes half a second. */
export async function prepareMachine(extra: readonly DebianPackage[] = []): Promise<void> {
  const missing = await missingPackages([...(await neededPackages()), ...extra])
  if (missing.length > 0) {
    console.log('The tests need these Debian packages, which are not installed:')
    for (const { name, why } of missing) console.log(`  ${name.padEnd(16)} ${why}`)
    await installPackages(missing, (line) => console.log(`→ ${line}`))
  }
  if (!findUser()) {
    console.log(`→ adding the system user ${USER}, which nodes run as`)
    await makeUser()
  }
}

/**
 * Makes the runtime images that this machine does not have yet. Daemons of several test files would each make the same
 * one, and their tests wait for it.
 */
export async function prepareImages(): Promise<void> {
  await using sandbox = await openTestSandbox()
  const { client } = sandbox
  const { images } = await client.probe()
  const missing = imageNames.filter((name) => !images.includes(name))
  if (missing.length > 0) console.log(`→ making runtime images, once for this machine: ${missing.join(', ')}`)
  const makeSome = async () => {
    for (let name = missing.shift(); name !== undefined; name = missing.shift()) await client.image({ name })
  }
  await Promise.all(Array.from({ length: availableParallelism() }, makeSome))
}
