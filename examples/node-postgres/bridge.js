// A contact-synchronization bridge on PostgreSQL, with Node's http and the driver pg.
//
// DATABASE_URL=postgres://… BRIDGE_USERNAME=agent BRIDGE_PASSWORD=… PORT=8080 node bridge.js

import { createHash, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'
import { gzipSync } from 'node:zlib'
import pg from 'pg'

const page = 500 // contacts in an answer: small enough to be sent well within 10 seconds
const largestRequest = 1 << 20 // bytes
const holdBack = '60 seconds' // longer than any transaction that writes contacts stays open
const mapping = 1 // to be raised when contact() makes other contacts of the same rows
const select = 'SELECT id::text, name, company, phones, emails'
const from = 'FROM contacts'

const { DATABASE_URL, BRIDGE_USERNAME, BRIDGE_PASSWORD, PORT = '8080' } = process.env
if (!DATABASE_URL || !BRIDGE_USERNAME || !BRIDGE_PASSWORD) {
  console.error('set DATABASE_URL, BRIDGE_USERNAME and BRIDGE_PASSWORD')
  process.exit(2)
}
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 5, statement_timeout: 8000, connectionTimeoutMillis: 8000 })
pool.on('error', (error) => console.error('idle connection:', error.message)) // the database was restarted, say

class Refused extends Error {
  constructor (status, code, message) {
    super(message)
    Object.assign(this, { status, code })
  }
}

// --- the protocol ----------------------------------------------------------------------------------------------------

function readRequest (body) {
  let request
  try {
    request = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw new Refused(400, 'bad_request', 'the body is not JSON')
  }
  const auth = request?.auth ?? {}
  const meta = request?.meta ?? {}
  if (![request, auth, meta].every(isObject)) {
    throw new Refused(400, 'bad_request', 'the body, auth and meta are JSON objects')
  }
  return { auth, meta }
}

function isObject (value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function check (auth) {
  const digest = (text) => createHash('sha256').update(text).digest() // equal lengths, whatever was sent
  const same = (given, wanted) => timingSafeEqual(digest(typeof given === 'string' ? given : ''), digest(wanted))
  const good = [same(auth.username, BRIDGE_USERNAME), same(auth.password, BRIDGE_PASSWORD)]
  if (good.includes(false)) throw new Refused(401, 'unauthorized', 'the credentials are wrong')
}

// Times stay text on their way through: a Date has milliseconds, PostgreSQL has microseconds, and what is cut off is lost.
const asText = (expression) => `to_char((${expression}) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`

// Checkpoints belong to the database, the rows that are read and the mapping. The password is not part of it.
const { host, port, database, user } = new pg.Client({ connectionString: DATABASE_URL })
const owner = JSON.stringify([host, port, database, user, select, from, mapping])

// seal returns an offset or a checkpoint: a text, and a checksum that says where it belongs.
function seal (name, text) {
  return `${text}~${createHash('sha256').update(name + text + owner).digest('hex').slice(0, 8)}`
}

// unseal returns what was sealed, or null: this bridge, as it is now, never issued it. Absent, null and empty are the same.
function unseal (name, meta) {
  const mark = meta[name] ?? ''
  if (!['string', 'number'].includes(typeof mark)) throw new Refused(400, 'bad_request', `${name} is a string`)
  const text = String(mark).replace(/~[^~]*$/, '')
  return seal(name, text) === mark ? text : null
}

const said = new Set()
function sayOnce (message) {
  if (!said.has(message)) console.error(message)
  said.add(message)
}

async function contactSync (meta) {
  const since = unseal('synchronization_checkpoint', meta)
  const offset = unseal('offset', meta)
  if ((meta.offset ?? '') !== '' && !offset) throw new Refused(400, 'invalid_offset', 'this bridge never issued that offset')
  // An offset holds all that its page needs, so that any process can answer it: "horizon;time|id". It alone says where to go
  // on, whatever checkpoint the run was to start from.
  const [fixed, place] = offset?.split(';') ?? [null, since]
  // A checkpoint of another table, mapping or bridge says nothing about these contacts: all of them are sent.
  const restarted = (meta.synchronization_checkpoint ?? '') !== '' && !since && !offset
  if (restarted) sayOnce('a checkpoint belongs to another database, mapping or bridge: every contact is sent again')
  const [after, id] = place?.split('|') ?? ['-infinity', '0']
  // A transaction stamps its rows when it begins and may not be committed yet. What is newer than the horizon is sent, but
  // the checkpoint does not pass it: the next run sends it again, and with it whatever came late. The horizon is the one of
  // the run's start, so it travels in the offset.
  const { rows } = await pool.query(`
    ${select}, ${asText('updated_at')} AS changed,
           ${asText('clock_timestamp() - $4::interval')} AS horizon
    ${from} WHERE (updated_at, id) > ($1::timestamptz, $2::bigint)
    ORDER BY updated_at, id LIMIT $3`, [after, id, page + 1, holdBack])
  const sent = rows.slice(0, page)
  const answer = { contacts: sent.map(contact) }
  const last = sent.at(-1)
  if (last) {
    const horizon = fixed ?? last.horizon
    const safe = last.changed < horizon ? `${last.changed}|${last.id}` : `${horizon}|0`
    answer.synchronization_checkpoint = seal('synchronization_checkpoint', safe)
    if (rows.length > page) answer.next_offset = seal('offset', `${horizon};${last.changed}|${last.id}`)
  } else if (since) {
    answer.synchronization_checkpoint = meta.synchronization_checkpoint
  }
  if (meta.supports_deletions === true) {
    // To a synchronizer that finds out by itself who was deleted: this run brings everybody, and no page can skip a row.
    answer.exact = true
    if (restarted) answer.restarted = true
  }
  return answer
}

// contact is a row as the protocol wants it: id and name always, the rest only where there is something to say.
function contact ({ id, name, company, phones, emails }) {
  const fields = { id, name: name || company || emails?.[0] || id }
  if (company) fields.company = company
  if (phones?.length) fields.phones = phones
  if (emails?.length) fields.emails = emails
  return fields
}

// --- HTTP ------------------------------------------------------------------------------------------------------------

async function readBody (request) {
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) {
    throw new Refused(415, 'unsupported_media_type', 'the body must be application/json')
  }
  const chunks = []
  let size = 0
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    size += chunk.length
    if (size > largestRequest) throw new Refused(413, 'body_too_large', 'the body is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

async function serve (request) {
  const path = request.url.split('?')[0]
  if (path !== '/contact_sync' && path !== '/auth_validation') {
    throw new Refused(404, 'not_found', 'there is /contact_sync and /auth_validation')
  }
  if (request.method !== 'POST') throw new Refused(405, 'method_not_allowed', 'POST only')
  const { auth, meta } = readRequest(await readBody(request))
  check(auth)
  return path === '/contact_sync' ? contactSync(meta) : null
}

function answer (request, response, status, value) {
  if (value === null) return response.writeHead(204).end()
  const headers = { 'Content-Type': 'application/json' }
  let body = Buffer.from(JSON.stringify(value))
  if (status === 405) headers.Allow = 'POST'
  if (!request.complete) headers.Connection = 'close' // the rest of the body stays unread
  if (body.length > 1000 && /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) {
    body = gzipSync(body, { level: 1 })
    headers['Content-Encoding'] = 'gzip'
  }
  headers['Content-Length'] = body.length
  response.writeHead(status, headers).end(body)
}

const server = createServer(async (request, response) => {
  try {
    answer(request, response, 200, await serve(request))
  } catch (error) {
    let { status, code, message } = error
    if (!(error instanceof Refused)) {
      console.error(error) // the cause belongs into the log, not into the answer
      ;[status, code, message] = [503, 'source_unavailable', 'the database cannot be read']
    }
    answer(request, response, status, { error: { code, message } })
  }
})

server.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}/contact_sync`)
})
