// The app of data's tests: keeps notes in files of its volume and in rows of its database, and says that it did only
// once they are on disk. Without packages, so it speaks PostgreSQL's simple protocol itself.
const { createServer } = require('node:http')
const fs = require('node:fs')
const { connect } = require('node:net')

const { chmodSync, closeSync, fsyncSync, openSync, readFileSync, readdirSync, rmSync, statSync, writeSync } = fs
const folder = process.env.FOLDER ?? '/data'
console.log(`config ${process.env.GREETING ?? 'none'}`)

function put(name, text) {
  const file = openSync(`${folder}/${name}`, 'w')
  writeSync(file, text)
  fsyncSync(file)
  closeSync(file)
  const top = openSync(folder, 'r')
  fsyncSync(top)
  closeSync(top)
}

function contents() {
  const names = readdirSync(folder).filter((one) => one !== 'lost+found')
  return Object.fromEntries(names.map((one) => [one, readFileSync(`${folder}/${one}`, 'utf8')]))
}

function fill() {
  const file = openSync(`${folder}/filler`, 'w')
  let code
  for (const block of [Buffer.alloc(2 ** 20, 1), Buffer.alloc(1024, 1)])
    try {
      for (;;) writeSync(file, block)
    } catch (error) {
      code = error.code
    }
  closeSync(file)
  return code
}

/** Rows of one statement, each as its columns' text; rejects with the server's message. */
function sql(text) {
  return new Promise((resolve, reject) => {
    const socket = connect(`${new URL(process.env.DATABASE_URL).searchParams.get('host')}/.s.PGSQL.5432`)
    const rows = []
    let failure = null
    let unread = Buffer.alloc(0)
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('the database closed the connection')))
    const words = Buffer.from('\0\x03\0\0user\0app\0database\0app\0\0', 'latin1')
    const send = (type, body) => {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(body.length + 4)
      socket.write(Buffer.concat([Buffer.from(type), length, body]))
    }
    socket.on('connect', () => send('', words))
    let ready = 0
    socket.on('data', (chunk) => {
      unread = Buffer.concat([unread, chunk])
      while (unread.length >= 5 && unread.length > unread.readUInt32BE(1)) {
        const [type, length] = [String.fromCharCode(unread[0]), unread.readUInt32BE(1)]
        const body = unread.subarray(5, length + 1)
        unread = unread.subarray(length + 1)
        if (type === 'E') failure = new Error(/\0M([^\0]*)/.exec(`\0${body}`)[1])
        if (type === 'D') rows.push(columns(body))
        if (type !== 'Z') continue
        if (ready++ === 0 && !failure) send('Q', Buffer.from(`${text}\0`))
        else {
          socket.end()
          if (failure) reject(failure)
          else resolve(rows)
        }
      }
    })
  })
}

function columns(body) {
  const values = []
  for (let place = 2; place < body.length;) {
    const length = body.readInt32BE(place)
    values.push(length < 0 ? null : body.toString('utf8', place + 4, place + 4 + length))
    place += 4 + Math.max(0, length)
  }
  return values
}

async function answer(request) {
  const { pathname, searchParams } = new URL(request.url, 'http://app')
  const name = searchParams.get('name')
  if (pathname === '/put') return put(name, searchParams.get('text')) ?? 'kept'
  if (pathname === '/get') return readFileSync(`${folder}/${name}`, 'utf8')
  if (pathname === '/chmod') return chmodSync(`${folder}/${name}`, parseInt(searchParams.get('mode'), 8)) ?? 'changed'
  if (pathname === '/mode') return (statSync(`${folder}/${name}`).mode & 0o777).toString(8)
  if (pathname === '/list')
    return readdirSync(folder)
      .filter((one) => one !== 'lost+found')
      .toSorted()
      .join()
  if (pathname === '/all') return JSON.stringify(contents())
  if (pathname === '/both') return JSON.stringify({ files: contents(), rows: await sql(searchParams.get('text')) })
  if (pathname === '/fill') return fill()
  if (pathname === '/clear') return rmSync(`${folder}/filler`) ?? 'cleared'
  if (pathname === '/sql') return JSON.stringify(await sql(searchParams.get('text')))
  if (pathname === '/env') return process.env[name] ?? 'unset'
  if (pathname === '/print') return console.log(searchParams.get('text')) ?? 'printed'
  return 'hello'
}

createServer((request, response) => {
  answer(request).then(
    (text) => response.end(text),
    (error) => response.writeHead(500).end(error.message),
  )
}).listen(Number(process.env.PORT), '0.0.0.0')
process.on('SIGTERM', () => process.exit(0))
