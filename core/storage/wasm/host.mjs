// Serves TimescaleDB in WebAssembly on a Unix socket to one PostgreSQL client at a time.
// node host.mjs --modules DIR --data DIR --socket PATH --console PID
// One JSON object a line on stdout says how the start goes; when stdin closes (the console is gone) this process ends.
import { randomInt } from 'node:crypto'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'

const { values: args } = parseArgs({
  options: {
    modules: { type: 'string' },
    data: { type: 'string' },
    socket: { type: 'string' },
    console: { type: 'string' },
  },
})
const NAME = 'jumpwatch' // role and database
const REPORTED = [
  'server_version', 'server_encoding', 'client_encoding', 'DateStyle', 'IntervalStyle', 'TimeZone', 'integer_datetimes',
  'standard_conforming_strings', 'application_name', 'in_hot_standby', 'default_transaction_read_only',
]
// The engine starts as a single-user backend: search_path is pg_catalog and sequential scans are penalised.
const SESSION_DEFAULTS = [['search_path', 'public'], ['enable_seqscan', 'on'], ['TimeZone', 'UTC'], ['jit', 'off']]
const FRONTEND = new Set([...'QPBEDCHSFdcfX'].map((c) => c.charCodeAt(0)))
const MAX_FRAME = 256 * 1024 * 1024
const MAX_COPY = 256 * 1024 * 1024
const MAX_STARTUP = 10_000
const CRASH_LIMIT = 3
const CRASH_WINDOW_MS = 60_000
const HANDOVER_MS = 400 // a new connection may overtake the end of the last one

const code = (letter) => letter.charCodeAt(0)
const log = (...words) => process.stderr.write(`${new Date().toISOString()} ${words.join(' ')}\n`)
const tell = (line) => fs.writeSync(1, `${JSON.stringify(line)}\n`)
console.log = (...words) => log(...words) // the engine's package prints to stdout, which is ours

// ---- frames

const cstring = (text) => Buffer.from(`${text}\0`, 'utf8')
const int32 = (n) => { const b = Buffer.alloc(4); b.writeInt32BE(n); return b }
function frame(letter, ...parts) {
  const body = Buffer.concat(parts)
  return Buffer.concat([Buffer.from(letter, 'latin1'), int32(body.length + 4), body])
}
const errorFrame = (severity, sqlstate, message) =>
  frame('E', cstring(`S${severity}`), cstring(`V${severity}`), cstring(`C${sqlstate}`), cstring(`M${message}`), Buffer.from([0]))
const query = (sql) => frame('Q', cstring(sql))
const SYNC = frame('S')
const literal = (text) => `'${text.replaceAll("'", "''")}'`
const settingsSql = (settings) =>
  `SELECT ${[...SESSION_DEFAULTS, ...settings].map(([name, value]) => `set_config(${literal(name)}, ${literal(value)}, false)`).join(', ')}`
const cut = (body, from) => body.toString('utf8', from, body.indexOf(0, from))

// Yields [letter code, whole frame] for a buffer that holds whole frames only.
function* framesOf(buffer) {
  for (let at = 0; at + 5 <= buffer.length;) {
    const end = at + 1 + buffer.readInt32BE(at + 1)
    yield [buffer[at], buffer.subarray(at, end)]
    at = end
  }
}

// The columns of a DataRow as text.
function rowOf(whole) {
  const columns = []
  for (let at = 7, left = whole.readInt16BE(5); left > 0; left -= 1) {
    const length = whole.readInt32BE(at)
    columns.push(whole.toString('utf8', at + 4, at + 4 + Math.max(0, length)))
    at += 4 + Math.max(0, length)
  }
  return columns
}

// ---- the engine

let PGlite, timescaledb
let db = null
let crashes = []
let stopping = false
class EngineCrash extends Error {}

const cluster = path.join(args.data, 'pgdata')
const template = path.join(args.modules, 'cluster-1') // the number changes with what an empty cluster has in it
const open = (dataDir, owner) => PGlite.create({ dataDir, extensions: { timescaledb }, ...owner })

async function createCluster() {
  // Made under another name and renamed when whole, so that a start cut short leaves nothing half made behind.
  const draft = `${cluster}.new`
  fs.rmSync(draft, { recursive: true, force: true })
  if (fs.existsSync(template)) fs.cpSync(template, draft, { recursive: true })
  else {
    const first = await open(draft, {})
    await first.exec(`CREATE ROLE ${NAME} SUPERUSER LOGIN`)
    await first.exec(`CREATE DATABASE ${NAME} OWNER ${NAME}`)
    await first.close()
    const second = await open(draft, { username: NAME, database: NAME })
    await second.exec('CREATE EXTENSION timescaledb')
    await second.close()
    keepTemplate(draft)
  }
  fs.renameSync(draft, cluster)
}

// Making a cluster takes most of a start: an empty one is kept beside the engine, and copied from then on.
function keepTemplate(made) {
  const copy = `${template}.${process.pid}`
  try {
    fs.cpSync(made, copy, { recursive: true })
    fs.renameSync(copy, template)
  } catch (error) { // another one was first, the disk is full, the folder is not ours: the next start makes its own
    log(`no cluster is kept for the next start: ${error?.message ?? error}`)
    fs.rmSync(copy, { recursive: true, force: true })
  }
}

async function openEngine() {
  const opened = await open(cluster, { username: NAME, database: NAME })
  await opened.exec('CREATE EXTENSION IF NOT EXISTS timescaledb')
  await opened.exec("LOAD 'timescaledb'") // without it inserts into hypertables fail after a restart
  db = opened
}

// Runs frames; answers what the server says, copied (the engine reuses its buffer), without its build's debug notices.
function run(frames, session) {
  let raw
  try {
    raw = Buffer.from(db.execProtocolRawSync(frames))
  } catch (error) {
    throw new EngineCrash(String(error?.message ?? error))
  }
  const kept = []
  for (const [letter, whole] of framesOf(raw)) {
    if (letter === code('N') && /\0M# \d+: /.test(whole.toString('latin1', 5, Math.min(whole.length, 200)))) continue
    if (letter === code('Z') && session) session.status = String.fromCharCode(whole[5])
    if (letter === code('C') && session && /^(RESET|DISCARD ALL)\0/.test(whole.toString('latin1', 5, 20))) session.wasReset = true
    kept.push(whole)
  }
  return kept
}

async function afterCrash(reason) {
  db = null
  const now = Date.now()
  crashes = [...crashes.filter((at) => now - at < CRASH_WINDOW_MS), now]
  log(`the engine crashed (${reason}), crash ${crashes.length} of ${CRASH_LIMIT} within a minute`)
  if (crashes.length > CRASH_LIMIT) process.exit(70)
  try {
    await openEngine()
    log('the engine is open again')
  } catch (error) {
    log(`the engine does not open again: ${error?.stack ?? error}`)
    process.exit(70)
  }
}

// ---- COPY ... FROM STDIN: the engine wants the data together with the statement, so the host gathers it

// Splits SQL into statements of top-level words; strings, quoted names, comments and parentheses are passed over.
function statements(sql) {
  const token = /--[^\n]*|\/\*[\s\S]*?\*\/|\b[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|(\$(?:[A-Za-z_]\w*)?\$)[\s\S]*?\1|[A-Za-z_][\w$]*|[();]/g
  const found = [[]]
  let depth = 0
  for (const [text] of sql.matchAll(token)) {
    if (text === '(') depth += 1
    else if (text === ')') depth -= 1
    else if (text === ';') { if (depth <= 0) found.push([]) }
    else if (depth <= 0 && /^[A-Za-z_]/.test(text) && !text.endsWith("'")) found.at(-1).push(text.toLowerCase())
  }
  return found.filter((words) => words.length > 0)
}

// 'none', 'alone' (a COPY FROM STDIN and nothing else) or 'among' (one of several statements).
function copyIn(sql) {
  if (!/\bstdin\b/i.test(sql)) return 'none'
  const all = statements(sql)
  const copies = all.filter((words) => words[0] === 'copy' && words.some((word, i) => word === 'from' && words[i + 1] === 'stdin'))
  if (copies.length === 0) return 'none'
  return all.length === 1 ? 'alone' : 'among'
}

// ---- a client

let holder = null // the session that has the engine
const waiting = []

class Session {
  constructor(socket) {
    this.socket = socket
    this.chunks = []
    this.have = 0
    this.need = 8
    this.phase = 'startup' // startup, queued, ready, copy, over
    this.status = 'I'
    this.settings = []
    this.wasReset = false
    this.copy = null
    this.copied = 0
    this.timer = setTimeout(() => this.end(), 10_000)
    socket.on('data', (chunk) => this.feed(chunk))
    socket.on('drain', () => { socket.resume(); this.pump() })
    socket.on('error', () => {})
    socket.on('close', () => this.end())
  }

  send(...parts) {
    if (this.socket.writable && parts.length > 0 && !this.socket.write(Buffer.concat(parts))) this.socket.pause()
  }

  fail(sqlstate, message) {
    this.send(errorFrame('FATAL', sqlstate, message))
    this.end()
  }

  end() {
    if (this.phase === 'over') return
    this.phase = 'over'
    clearTimeout(this.timer)
    this.chunks = []
    this.copy = null
    this.socket.end()
    const place = waiting.indexOf(this)
    if (place >= 0) waiting.splice(place, 1)
    if (holder === this) release()
  }

  feed(chunk) {
    if (this.phase === 'over') return
    this.chunks.push(chunk)
    this.have += chunk.length
    this.pump()
  }

  // Takes what has come in as far as it makes whole frames; joins chunks only when a whole frame is there.
  pump() {
    while (this.phase !== 'over' && this.phase !== 'queued' && this.have >= this.need && !this.socket.writableNeedDrain) {
      const buffer = this.chunks.length === 1 ? this.chunks[0] : Buffer.concat(this.chunks)
      const used = this.phase === 'startup' ? this.startup(buffer) : this.take(buffer)
      if (this.phase === 'over') return
      const rest = buffer.subarray(used)
      this.chunks = [rest]
      this.have = rest.length
      if (this.phase === 'startup') this.need = rest.length >= 4 ? Math.max(8, rest.readInt32BE(0)) : 8
      else this.need = rest.length >= 5 ? 1 + rest.readInt32BE(1) : 5
    }
  }

  startup(buffer) {
    const length = buffer.readInt32BE(0)
    const version = buffer.readInt32BE(4)
    if (length < 8 || length > MAX_STARTUP) return this.end()
    if (buffer.length < length) { this.need = length; return 0 }
    if (version === 80877103 || version === 80877104) { this.send(Buffer.from('N')); return length } // no TLS, no GSS
    if (version === 80877102) return this.end() // a cancel request: nothing can interrupt the engine
    if (version >> 16 !== 3) return this.fail('0A000', 'only protocol version 3 is spoken here')
    const words = buffer.toString('utf8', 8, length).split('\0')
    const given = new Map()
    for (let i = 0; i + 1 < words.length && words[i] !== ''; i += 2) given.set(words[i], words[i + 1])
    const asked = [...given.keys()].filter((name) => name.startsWith('_pq_.'))
    if ((version & 0xffff) > 0 || asked.length > 0) {
      this.send(frame('v', int32(196608), int32(asked.length), ...asked.map(cstring)))
    }
    const user = given.get('user') ?? ''
    const database = given.get('database') || user
    if (user !== NAME) return this.fail('28000', `role "${user}" does not exist`)
    if (database !== NAME) return this.fail('3D000', `database "${database}" does not exist`)
    for (const [, name, value] of (given.get('options') ?? '').matchAll(/(?:-c\s*|--)([\w.]+)=((?:\\.|[^\s\\])*)/g)) {
      this.settings.push([name, value.replace(/\\(.)/g, '$1')])
    }
    for (const [name, value] of given) {
      if (!['user', 'database', 'options', 'replication'].includes(name) && !name.startsWith('_pq_.')) this.settings.push([name, value])
    }
    clearTimeout(this.timer)
    this.phase = 'queued'
    waiting.push(this)
    this.timer = setTimeout(() => {
      if (db !== null) this.fail('53300', 'the demo database takes one session at a time, and another one has it')
    }, HANDOVER_MS)
    setImmediate(admit) // after the startup packet has been taken off the buffer
    return length
  }

  begin() {
    clearTimeout(this.timer)
    const names = REPORTED.map(literal).join(',')
    let answer
    try {
      answer = run(query(settingsSql(this.settings)), null)
      answer.push(...run(query(`SELECT name, setting FROM pg_settings WHERE name IN (${names})`), null))
    } catch (error) {
      return this.crashed(error)
    }
    const refused = answer.find((whole) => whole[0] === code('E'))
    if (refused !== undefined) {
      this.send(refused)
      return this.end()
    }
    const settings = answer.filter((whole) => whole[0] === code('D')).map(rowOf).filter((row) => row.length === 2)
    settings.push(['is_superuser', 'on'], ['session_authorization', NAME])
    this.phase = 'ready'
    this.send(
      frame('R', int32(0)),
      ...settings.map(([name, value]) => frame('S', cstring(name), cstring(value))),
      frame('K', int32(process.pid), int32(randomInt(2 ** 31))),
      frame('Z', Buffer.from('I')),
    )
    this.need = 5
    this.pump()
  }

  // The engine is lost: say so to its client, open it again, let the next one in.
  crashed(error) {
    if (!(error instanceof EngineCrash)) throw error
    db = null
    this.fail('57P02', 'the engine crashed and is being opened again')
    afterCrash(error.message).then(admit)
  }

  // Handles the whole frames at the head of the buffer and says how many bytes they were.
  take(buffer) {
    let at = 0
    let plain = 0 // start of a run of frames that go to the engine as they are, in one call
    const flush = (end) => { if (end > plain) this.engine(buffer.subarray(plain, end)) }
    while (this.phase !== 'over' && buffer.length - at >= 5) {
      const letter = buffer[at]
      const length = buffer.readInt32BE(at + 1)
      if (!FRONTEND.has(letter) || length < 4 || length > MAX_FRAME) {
        flush(at)
        const why = length > MAX_FRAME ? 'a message is larger than 256 MB' : 'invalid frontend message'
        this.fail(length > MAX_FRAME ? '54000' : '08P01', why)
        break
      }
      const end = at + 1 + length
      if (end > buffer.length) break
      if (this.special(letter, buffer.subarray(at, end), () => flush(at))) plain = end
      at = end
    }
    if (this.phase !== 'over') flush(at)
    return at
  }

  // Frames that the engine must not see as they are; true if this one was dealt with here.
  special(letter, whole, flush) {
    if (this.phase === 'copy') { flush(); this.gather(letter, whole); return true }
    if (letter === code('d') || letter === code('c') || letter === code('f')) { flush(); return true } // left over from a failed COPY
    if (letter === code('X')) { flush(); this.end(); return true }
    if (letter === code('Q')) {
      const kind = copyIn(cut(whole, 5))
      if (kind === 'none') return false
      flush()
      if (this.phase === 'over') return true
      if (kind === 'among') { this.refuse(query('-'), 'COPY FROM STDIN must be the only statement of its query here'); return true }
      this.beginCopy(whole)
      return true
    }
    if (letter === code('P')) {
      const nameEnd = whole.indexOf(0, 5)
      if (nameEnd < 0 || copyIn(cut(whole, nameEnd + 1)) === 'none') return false
      flush()
      if (this.phase !== 'over') {
        this.refuse(frame('P', cstring(''), cstring('-'), Buffer.from([0, 0])), 'COPY FROM STDIN works by simple query only here')
      }
      return true
    }
    return false
  }

  // A trial run with no data, undone at once, shows what the server would say: its CopyInResponse or its error.
  beginCopy(whole) {
    const failed = frame('f', cstring('trial'))
    let said
    try {
      if (this.status === 'T') run(query('SAVEPOINT jumpwatch_copy'), null)
      said = this.status === 'E' ? [] : run(Buffer.concat([whole, failed]), null)
      if (this.status === 'T') run(query('ROLLBACK TO jumpwatch_copy; RELEASE jumpwatch_copy'), null)
    } catch (error) {
      return this.crashed(error)
    }
    const response = said.find((f) => f[0] === code('G'))
    if (response === undefined) {
      const error = said.find((f) => f[0] === code('E'))
      return this.engine(query('-'), (frames) => frames.map((f) => (f[0] === code('E') && error !== undefined ? error : f)))
    }
    this.phase = 'copy'
    this.copy = [Buffer.from(whole)]
    this.copied = 0
    this.send(response)
  }

  gather(letter, whole) {
    if (letter === code('d')) {
      this.copy.push(Buffer.from(whole))
      this.copied += whole.length
      if (this.copied > MAX_COPY) this.fail('54000', 'COPY takes at most 256 MB at a time here')
    } else if (letter === code('c') || letter === code('f')) {
      const everything = Buffer.concat([...this.copy, whole])
      this.phase = 'ready'
      this.copy = null
      this.engine(everything, (frames) => frames.filter((f) => f[0] !== code('G'))) // G went out already
    } else if (letter === code('X')) this.end()
    else if (letter !== code('H') && letter !== code('S')) this.fail('08P01', 'unexpected message during COPY')
  }

  // Lets the engine fail on a syntax error, so that its transaction and its skip-to-Sync are right, and words it ourselves.
  refuse(wrong, message) {
    this.engine(wrong, (frames) => frames.map((f) => (f[0] === code('E') ? errorFrame('ERROR', '0A000', message) : f)))
  }

  engine(frames, filter = (same) => same) {
    if (this.phase === 'over') return
    let answer
    try {
      answer = filter(run(frames, this))
      if (this.wasReset && this.status !== 'E') {
        this.wasReset = false // RESET ALL and DISCARD ALL took the session's settings with them
        run(query(settingsSql(this.settings)), null)
      }
    } catch (error) {
      return this.crashed(error)
    }
    this.send(...answer)
  }
}

function admit() {
  if (holder !== null || db === null || stopping) return
  const next = waiting.shift()
  if (next === undefined) return
  holder = next
  next.begin()
}

// Nothing of a session may be seen by the next: open transaction, prepared statements, temporary tables, settings.
function release() {
  try {
    if (db !== null) {
      const left = { status: 'I' }
      run(SYNC, left) // ends the skipping that follows an error in the extended protocol
      if (left.status !== 'I') run(query('ROLLBACK'), null)
      run(query('DISCARD ALL'), null)
    }
  } catch (error) {
    db = null
    afterCrash(error.message).then(admit)
  }
  holder = null
  setImmediate(admit)
}

// ---- start and end

const server = net.createServer((socket) => new Session(socket))

async function stop(reason) {
  if (stopping) return
  stopping = true
  log(`stopping: ${reason}`)
  setTimeout(() => process.exit(1), 5000).unref()
  server.close()
  if (holder !== null) holder.fail('57P01', 'the database is being shut down')
  try {
    await db?.close()
  } catch (error) {
    log(`closing: ${error?.stack ?? error}`)
  }
  removeSocket()
  process.exit(0)
}

function removeSocket() {
  fs.rmSync(args.socket, { force: true })
  try { fs.rmdirSync(path.dirname(args.socket)) } catch { /* not ours alone, or gone */ }
}

// The engine blocks this thread while a statement runs and nothing can interrupt it: a second thread looks after the end.
const watcher = `
const { workerData: { pid, socket }, parentPort } = require('node:worker_threads')
const fs = require('node:fs')
const gone = () => { try { process.kill(pid, 0); return false } catch (e) { return e.code === 'ESRCH' } }
const timer = setInterval(() => {
  if (!gone()) return
  clearInterval(timer)
  parentPort.postMessage('gone')
  setTimeout(() => {
    try { fs.rmSync(socket, { force: true }); fs.rmdirSync(require('node:path').dirname(socket)) } catch {}
    process.kill(process.pid, 'SIGKILL')
  }, 3000)
}, 500)`

async function main() {
  process.on('SIGTERM', () => stop('SIGTERM'))
  process.on('SIGINT', () => stop('SIGINT'))
  process.stdin.on('end', () => stop('the console is gone')).on('error', () => stop('the console is gone')).resume()
  process.stdout.on('error', () => {})
  const workerData = { pid: Number(args.console), socket: args.socket }
  new Worker(watcher, { eval: true, workerData }).on('message', () => stop('the console is gone')).unref()
  const home = path.join(args.modules, 'node_modules', '@unni-craftsman', 'pglite', 'dist')
  tell({ stage: 'progress', text: 'Loading the WebAssembly engine' });
  ({ PGlite } = await import(pathToFileURL(path.join(home, 'index.js')).href));
  ({ timescaledb } = await import(pathToFileURL(path.join(home, 'timescaledb', 'index.js')).href))
  if (!fs.existsSync(cluster)) {
    tell({ stage: 'progress', text: 'Creating the demo database' })
    await createCluster()
  }
  tell({ stage: 'progress', text: 'Opening the demo database with TimescaleDB' })
  await openEngine()
  if (stopping) return
  process.umask(0o077)
  server.listen(args.socket, () => tell({ stage: 'ready' }))
}

process.on('uncaughtException', (error) => { log(`fault: ${error?.stack ?? error}`); process.exit(70) })
main().catch((error) => {
  log(`start: ${error?.stack ?? error}`)
  tell({ stage: 'failed', text: String(error?.message ?? error) })
  process.exit(1)
})
