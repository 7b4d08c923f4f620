/**
 * Builds one member of a workspace, and before it the members that it needs, each by its own script.
 *
 * Managers differ in how they say that, npm cannot at all; so the build's own Node reads the members' package.json.
 * It runs inside the build, over a stranger's files: a cycle or a broken manifest is passed over, not followed.
 */
export const WORKSPACE_BUILD = `
const fs = require('node:fs'), path = require('node:path'), { spawnSync } = require('node:child_process')
const [wanted, script, program] = process.argv.slice(1)
const members = new Map()
const look = (folder, depth) => {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const below = path.join(folder, entry.name)
    if (entry.isDirectory() && depth > 0 && entry.name !== 'node_modules' && !entry.name.startsWith('.')) look(below, depth - 1)
    if (!entry.isFile() || entry.name !== 'package.json') continue
    try {
      const manifest = JSON.parse(fs.readFileSync(below, 'utf8'))
      if (manifest && (typeof manifest.name === 'string' || folder === wanted)) members.set(manifest.name ?? folder, { folder, manifest })
    } catch (error) {
      console.error(below + ' is passed over: ' + error.message)
    }
  }
}
look('.', 6)
const seen = new Set(), order = []
const visit = (member) => {
  if (!member || seen.has(member)) return
  seen.add(member)
  for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'])
    for (const name of Object.keys(member.manifest[kind] ?? {})) visit(members.get(name))
  order.push(member)
}
visit([...members.values()].find(({ folder }) => folder === path.normalize(wanted)))
for (const { folder, manifest } of order) {
  const own = folder === path.normalize(wanted) ? script : 'build'
  if (!manifest.scripts?.[own]) continue
  console.log('$ ' + program + ' run ' + own + '    in ' + folder)
  const { status } = spawnSync(program, ['run', own], { cwd: folder, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}
`
