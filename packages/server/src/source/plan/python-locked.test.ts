/** The program that turns lockfiles into lists, run by the Python of the build image. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { openTestSandbox } from '@perennial/sandbox/testing'
import { readOutput } from '../../output.ts'
import { LOCKED_REQUIREMENTS } from './python-locked.ts'

const stack = new AsyncDisposableStack()
test.after(() => stack.disposeAsync())
const { client } = stack.use(await openTestSandbox())
let made = 0

async function requirements(name: string, text: string): Promise<{ code: number; out: string[]; err: string }> {
  const id = `locked${++made}`
  await client.start({
    id,
    image: 'build-python',
    writableBytes: 16 * 2 ** 20,
    argv: ['sh', '-c', `printf '%s' "$TEXT" > /tmp/${name} && cd /tmp && exec python3 -c "$LOCKED" ${name}`],
    env: { LOCKED: LOCKED_REQUIREMENTS, TEXT: text },
    cwd: '/',
    user: 'app',
    limits: { memoryBytes: 256 * 2 ** 20, pids: 32, cpuPercent: 100 },
    network: 'none',
  })
  const exit = await client.wait({ id, timeoutMs: 60_000 })
  const lines = await readOutput(client.logPath(id))
  await client.remove({ id })
  const of = (stream: 'out' | 'err') =>
    lines.filter((line) => line.stream === stream).map(({ bytes }) => bytes.toString())
  return { code: exit?.code ?? -1, out: of('out').toSorted(), err: of('err').join('\n') }
}

const hash = (digit: string) => `sha256:${digit.repeat(64)}`
const UV = `version = 1
requires-python = ">=3.11"

[[package]]
name = "my-app"
version = "0.1.0"
source = { virtual = "." }
dependencies = [
    { name = "uvicorn", extra = ["standard"] },
    { name = "colorama", marker = "sys_platform == 'win32'" },
]

[package.dev-dependencies]
dev = [{ name = "pytest" }]

[[package]]
name = "uvicorn"
version = "0.30.0"
source = { registry = "https://packages.example/simple" }
dependencies = [{ name = "click" }]
sdist = { url = "https://packages.example/uvicorn-0.30.0.tar.gz", hash = "${hash('1')}" }
wheels = [{ url = "https://packages.example/uvicorn-0.30.0.whl", hash = "${hash('2')}" }]

[package.optional-dependencies]
standard = [{ name = "httptools" }]

[[package]]
name = "click"
version = "8.1.0"
source = { registry = "https://packages.example/simple" }
wheels = [{ url = "https://packages.example/click.whl", hash = "${hash('3')}" }]

[[package]]
name = "httptools"
version = "0.6.0"
source = { registry = "https://packages.example/simple" }
wheels = [{ url = "https://packages.example/httptools.whl", hash = "${hash('4')}" }]

[[package]]
name = "colorama"
version = "0.4.0"
source = { registry = "https://packages.example/simple" }
wheels = [{ url = "https://packages.example/colorama.whl", hash = "${hash('5')}" }]

[[package]]
name = "pytest"
version = "8.0.0"
source = { registry = "https://packages.example/simple" }
wheels = [{ url = "https://packages.example/pytest.whl", hash = "${hash('6')}" }]
`

test('uv.lock becomes what the app needs here: extras and markers heeded, nothing of development, each with its hashes', async () => {
  const { code, out, err } = await requirements('uv.lock', UV)
  assert.equal(code, 0, err)
  assert.deepEqual(out, [
    `click==8.1.0 --hash=${hash('3')}`,
    `httptools==0.6.0 --hash=${hash('4')}`,
    `uvicorn==0.30.0 --hash=${hash('1')} --hash=${hash('2')}`,
  ])
})

test('what a registry does not have is refused by name', async () => {
  const { code, err } = await requirements(
    'uv.lock',
    UV.replace(
      'source = { registry = "https://packages.example/simple" }\ndependencies',
      'source = { git = "https://forge.example/x" }\ndependencies',
    ),
  )
  assert.equal(code, 1)
  assert.match(err, /uvicorn comes from .*only packages of a registry/)
})

test('poetry.lock becomes its main group', async () => {
  const lock = `[[package]]
name = "flask"
version = "3.0.0"
optional = false
groups = ["main"]
files = [{ file = "flask.whl", hash = "${hash('1')}" }]

[[package]]
name = "colorama"
version = "0.4.0"
optional = false
groups = ["main"]
markers = "sys_platform == \\"win32\\""
files = [{ file = "colorama.whl", hash = "${hash('2')}" }]

[[package]]
name = "pytest"
version = "8.0.0"
optional = false
groups = ["dev"]
files = []
`
  const { code, out, err } = await requirements('poetry.lock', lock)
  assert.equal(code, 0, err)
  assert.deepEqual(out, [`flask==3.0.0 --hash=${hash('1')}`])
})

test('pyproject.toml alone becomes its dependencies', async () => {
  const { out } = await requirements(
    'pyproject.toml',
    '[project]\nname = "x"\ndependencies = ["flask>=3", "gunicorn"]\n',
  )
  assert.deepEqual(out, ['flask>=3', 'gunicorn'])
})
