package sqlite

import (
	"hash/maphash"
	"sync"

	"github.com/contactbridge/contactbridge/directory"
)

// recent remembers the results of the last look-ups until something is committed to the file. A call is often looked up several times: by
// the telephone system, the agent's screen and the desk. Its answers are the same as those of a query at that moment.
type recent struct {
	mu         sync.Mutex
	moment     moment
	young, old map[question][]directory.Match // what is asked for again moves to the young ones
	size       int                            // of the young ones

	// What is asked for once is not remembered, which would take a fifth as long as to find it: only its hash is, where no other has its
	// place.
	seed  maphash.Seed
	asked [1 << 15]uint32
}

// A question identifies a look-up: two that are equal have the same results.
type question struct {
	account       string
	numbers       int // how many; 0: an ending
	first, second string
	limit         int
}

// A moment identifies the state that results depend on: the last commit to the file, and the names that are remembered.
type moment struct {
	commit commit
	names  int64
}

// The bounds, in bytes, roughly. Both generations together take twice the first.
const (
	mostRecent = 2 << 20
	mostAnswer = mostRecent / 64
)

// moment returns the present one; ok is false where it is not known.
func (s *Store) moment() (now moment, ok bool) {
	now.names = s.names.forgotten.Load()
	now.commit, ok = s.commits.last()
	return now, ok
}

// remembered returns what was found for a question, or else what find finds.
func (s *Store) remembered(q question, find func() ([]directory.Match, error)) ([]directory.Match, error) {
	before, known := s.moment()
	if !known {
		return find()
	}
	found, again, ok := s.recent.get(before, q)
	if ok {
		return found, nil
	}
	found, err := find()
	if err != nil || !again {
		return found, err
	}
	// Where nothing was committed while it was looked for, each of the queries saw the file as it was at that moment.
	if after, known := s.moment(); known && after == before {
		s.recent.put(before, q, found)
	}
	return found, nil
}

// get returns what is remembered, or whether the question was asked lately.
func (r *recent) get(now moment, q question) (found []directory.Match, again, ok bool) {
	hash := maphash.Comparable(r.seed, q)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.moment == now {
		if found, ok = r.young[q]; ok {
			return found, true, true
		}
		if found, ok = r.old[q]; ok {
			r.keep(q, found)
			return found, true, true
		}
	}
	place, rest := &r.asked[hash%uint64(len(r.asked))], uint32(hash>>32)
	again = *place == rest
	*place = rest
	return nil, again, false
}

func (r *recent) put(now moment, q question, found []directory.Match) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.moment != now {
		r.moment, r.young, r.old, r.size = now, nil, nil, 0
	}
	r.keep(q, found)
}

// keep puts an answer among the young ones. Where there are too many they grow old, and the old ones are forgotten.
func (r *recent) keep(q question, found []directory.Match) {
	size := 200 + len(q.account) + len(q.first) + len(q.second)
	for i := range found {
		size += sizeOf(&found[i])
	}
	if size > mostAnswer {
		return
	}
	if r.size+size > mostRecent {
		r.young, r.old, r.size = nil, r.young, 0
	}
	if r.young == nil {
		r.young = map[question][]directory.Match{}
	}
	r.young[q] = found
	r.size += size
}

// sizeOf is about how many bytes a match takes.
func sizeOf(m *directory.Match) int {
	const itself, text = 450, 16
	c := &m.Contact
	size := itself + len(m.Number.Raw) + len(m.Number.E164) + len(m.Number.Match) + len(m.Number.Extension)
	for _, s := range [...]string{c.ID, c.Name, c.Title, c.Company, c.PhotoURL, c.Address, c.Twitter, c.URL} {
		size += len(s)
	}
	for _, list := range [...][]string{c.Emails, c.Phones, c.Websites} {
		for _, s := range list {
			size += text + len(s)
		}
	}
	for _, f := range c.CustomFields {
		size += 2*text + len(f.Key) + len(f.Value)
	}
	return size
}
