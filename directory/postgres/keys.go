package postgres

// How statements reach the rows that they name. PostgreSQL plans by its statistics, and those know nothing of an integration that
// is being filled: by them it has one row or none, so a walk through all of it looks as cheap as a look into an index, and
// each page, lookup or search would read everything that was stored before. A statement that names its rows therefore leaves
// no choice:
//
//   - it goes from the names to the rows, one equality on a whole key at a time; OFFSET 0 keeps the planner from turning that
//     around. A range of keys is no wider than twice a page (contactsBetween), and no other index may look as good;
//   - the account is (SELECT $1::int), which the planner cannot look up among the commonest accounts: it reckons with an average
//     one, and not with one that it has never seen;
//   - words come before the account, which they begin with;
//   - what has a key is rewritten by INSERT … ON CONFLICT, which knows its index, and deleted one key at a time.

// fromNamed selects the contacts of integration $2 of account $1 with an id in $3.
const fromNamed = ` FROM unnest($3::bytea[]) AS named (id) CROSS JOIN LATERAL (SELECT pk, hash FROM contactbridge.contacts
	WHERE account = (SELECT $1::int) AND integration = $2 AND id = named.id OFFSET 0) AS c`

// contactsBetween are the contacts of integration $2 of account $1 with keys after $3, up to $4. The sum hides the integration's index, by
// which PostgreSQL might read all of its contacts.
const contactsBetween = `SELECT id, pk, hash FROM contactbridge.contacts WHERE account = (SELECT $1::int) AND integration + 0 = $2 AND pk > $3 AND pk <= $4`

// fromHeld are those of the contacts $2 of account $1 that are held back.
const fromHeld = ` FROM unnest($2::bigint[]) AS named (pk) CROSS JOIN LATERAL (SELECT contact FROM contactbridge.held
	WHERE account = (SELECT $1::int) AND contact = named.pk OFFSET 0) AS h`

// Statements for one contact, many to a batch.
const (
	rehash        = "UPDATE contactbridge.contacts SET hash = $3 WHERE account = (SELECT $1::int) AND pk = $2"
	deleteNumbers = "DELETE FROM contactbridge.numbers WHERE account = (SELECT $1::int) AND contact = $2"
	deleteContact = "DELETE FROM contactbridge.contacts WHERE account = (SELECT $1::int) AND pk = $2"
	releaseHeld   = "DELETE FROM contactbridge.held WHERE account = (SELECT $1::int) AND contact = $2"
)
