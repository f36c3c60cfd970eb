package directory

// A Preparer is a store that can do a part of storing a page ahead of its transaction: what depends on the page alone.
type Preparer interface {
	// Prepare does so for a page of a run of key, whose contacts are expected to be new or changed. It stores nothing, may be called while
	// the page before is being stored, and is only of use: [Store.ApplyPage] takes pages that were not prepared, too. The page is not changed
	// after it.
	Prepare(key Key, page *PageChanges)
}

// What is prepared takes memory until the page is stored. Larger pages are stored as they come.
const (
	mostPrepared      = 10_000  // contacts of a page
	mostPreparedBytes = 4 << 20 // of its answer
)

// An ahead holds what a store prepared of a record before the transaction.
type ahead struct {
	content              [16]byte // the contact's hash
	json                 []byte
	words                string
	account, integration int64 // that the words are for
}

// Ahead prepares the contacts of a page for [Preparer]: their hashes, their JSON, and the words that find them in an account and an
// integration, which the function appends. Without the function there are no words.
func (p *PageChanges) Ahead(account, integration int64, words func(dst []byte, r *Record) []byte) {
	if len(p.Contacts) > mostPrepared || p.Bytes > mostPreparedBytes {
		return
	}
	all := make([]ahead, len(p.Contacts))
	json := make([]byte, 0, p.Bytes)
	var text []byte
	ends := make([]int, len(all))
	for i := range all {
		r, a := &p.Contacts[i], &all[i]
		a.account, a.integration, a.content = account, integration, r.Contact.Hash()
		start := len(json)
		json = r.Contact.AppendJSON(json)
		a.json = json[start:len(json):len(json)]
		if words != nil && !r.Unread {
			text = words(text, r)
		}
		ends[i] = len(text)
		r.ahead = a
	}
	whole, start := string(text), 0
	for i, end := range ends {
		all[i].words, start = whole[start:end], end
	}
}

// contentHash is the hash of what the contact says.
func (r *Record) contentHash() [16]byte {
	if r.ahead != nil {
		return r.ahead.content
	}
	return r.Contact.Hash()
}

// Words returns the words that [PageChanges.Ahead] made for an account and an integration; empty where it made none.
func (f *Fate) Words(account, integration int64) string {
	a := f.Record.ahead
	if a == nil || a.account != account || a.integration != integration {
		return ""
	}
	return a.words
}
