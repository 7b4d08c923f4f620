/**
 * `sandboxd`, the only process of ours that runs as root:
 *
 *     node main.ts --root /var/lib/perennial/sandbox --uid 990 --gid 990
 *
 * It enters its mount namespace (making it the first time) and becomes the daemon there, in the same process.
 * `--destroy` ends every sandbox of this root and takes away all that was made for it.
 */
import { parseArgs } from 'node:util'
import { ensureApart, enterCommand, mountNamespace } from './namespace.ts'
import { readOptions } from './options.ts'
import { refuseSecond } from './single.ts'

const { values } = parseArgs({
  options: {
    root: { type: 'string' },
    uid: { type: 'string' },
    gid: { type: 'string' },
    subnet: { type: 'string' },
    images: { type: 'string' },
    destroy: { type: 'boolean' },
    /** Set by ourselves for the second start, inside the namespace: the one outside. */
    inside: { type: 'string' },
  },
})

// What others may read is said file by file; nobody but root ever writes.
process.umask(0o022)
const options = readOptions(values)
if (values.inside !== undefined) {
  ensureApart(values.inside)
  // Loaded here, so that the first start, which only enters the namespace, is quick.
  const { destroy, serve } = await import('./daemon.ts')
  await (values.destroy ? destroy(options) : serve(options))
} else {
  if (!values.destroy) refuseSecond(options)
  const again = [process.execPath, ...process.argv.slice(1), '--inside', mountNamespace()]
  const command = [...(await enterCommand(options.root)), ...again]
  if (!process.execve) throw new Error('sandboxd needs Node 24 or newer')
  process.execve('/usr/bin/nsenter', command, process.env)
}
