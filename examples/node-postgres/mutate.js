// Changes a contact, for contactbridge check --mutate.
//
// DATABASE_URL=postgres://… node mutate.js create|update|delete ID

import pg from 'pg'

const statements = {
  create: "INSERT INTO contacts (id, name, phones) VALUES ($1, 'Created by the check', '{+14155550100}')",
  update: "UPDATE contacts SET name = coalesce(name, '') || '!' WHERE id = $1",
  delete: 'DELETE FROM contacts WHERE id = $1'
}

const [verb, id] = process.argv.slice(2)
if (!statements[verb] || !id) {
  console.error('usage: node mutate.js create|update|delete ID')
  process.exit(2)
}
const client = new pg.Client({ connectionString: process.env.DATABASE_URL })
await client.connect()
const { rowCount } = await client.query(statements[verb], [id])
await client.end()
if (rowCount !== 1) {
  console.error(`there is no contact ${id}`)
  process.exit(1)
}
