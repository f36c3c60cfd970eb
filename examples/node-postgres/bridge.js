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
const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z`

// match reads an offset or a checkpoint. Absent, null and empty are the same.
function match (mark, pattern) {
  if (mark === undefined || mark === null || mark === '') return null
  const found = typeof mark === 'string' && mark.match(new RegExp(`^${pattern}$`))
  if (!found) throw new Refused(400, 'invalid_offset', 'this bridge never issued that offset or checkpoint')
  return found
}

async function contactSync (meta) {
  const since = match(meta.synchronization_checkpoint, `(${time})\\|(\\d{1,18})`)
  // An offset holds all that its page needs, so that any process can answer it: "horizon;time|id".
  const offset = match(meta.offset, `(${time});(${time})\\|(\\d{1,18})`)
  const [after, id] = offset?.slice(2) ?? since?.slice(1) ?? ['-infinity', '0']
  // A transaction stamps its rows when it begins and may not be committed yet. What is newer than the horizon is sent, but
  // the checkpoint does not pass it: the next run sends it again, and with it whatever came late. The horizon is the one of
  // the run's start, so it travels in the offset.
  const { rows } = await pool.query(`
    SELECT id::text, name, company, phones, emails, ${asText('updated_at')} AS changed,
           ${asText('clock_timestamp() - $4::interval')} AS horizon
    FROM contacts WHERE (updated_at, id) > ($1::timestamptz, $2::bigint)
    ORDER BY updated_at, id LIMIT $3`, [after, id, page + 1, holdBack])
  const sent = rows.slice(0, page)
  const answer = { contacts: sent.map(contact) }
  const last = sent.at(-1)
  if (last) {
    const horizon = offset?.[1] ?? last.horizon
    answer.synchronization_checkpoint = last.changed < horizon ? `${last.changed}|${last.id}` : `${horizon}|0`
    if (rows.length > page) answer.next_offset = `${horizon};${last.changed}|${last.id}`
  } else if (since) {
    answer.synchronization_checkpoint = since[0]
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
      const bad = /^22/.test(code) // a date such as February 31st in an offset
      if (!bad) console.error(error) // the cause belongs into the log, not into the answer
      ;[status, code, message] = bad ? [400, 'invalid_offset', 'no such offset'] : [503, 'source_unavailable', 'the database cannot be read']
    }
    answer(request, response, status, { error: { code, message } })
  }
})

server.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}/contact_sync`)
})
