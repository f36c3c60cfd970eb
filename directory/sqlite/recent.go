package sqlite

import (
	"hash/maphash"
	"sync"

	"github.com/contactbridge/contactbridge/directory"
)

// recent remembers the results of the last look-ups until something is committed to the file. A call is often looked up several times: by
// the telephone system, the agent's screen and the desk. Its answers are the same as those of a query at that moment.
type recent struct {
	mu      sync.Mutex
	moment  moment              // of all answers
	answers [1 << 11][4]*answer // by the question's hash, in each place those that were asked for last first
	size    int
	hand    int // the place that gives answers up next, where there are too many

	// What is asked for once is not remembered, which would take a fifth as long as to find it: only its hash is, where no other has its
	// place.
	seed  maphash.Seed
	asked [1 << 15]uint32
}

// An answer holds a question and the matches that were found for it.
type answer struct {
	question question
	found    []directory.Match
	size     int
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

// The bounds, in bytes, roughly.
const (
	mostRecent = 4 << 20
	mostAnswer = mostRecent / 128
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
		place := &r.answers[hash%uint64(len(r.answers))]
		for i, a := range place {
			if a != nil && a.question == q {
				copy(place[1:i+1], place[:i])
				place[0] = a
				return a.found, true, true
			}
		}
	}
	noted, rest := &r.asked[hash%uint64(len(r.asked))], uint32(hash>>32)
	again = *noted == rest
	*noted = rest
	return nil, again, false
}

// put remembers an answer, unless it is a large one.
func (r *recent) put(now moment, q question, found []directory.Match) {
	a := &answer{question: q, found: found, size: 300 + len(q.account) + len(q.first) + len(q.second)}
	for i := range found {
		a.size += sizeOf(&found[i])
	}
	if a.size > mostAnswer {
		return
	}
	hash := maphash.Comparable(r.seed, q)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.moment != now { // what is there holds no more
		r.moment, r.size = now, 0
		clear(r.answers[:])
	}
	for r.size+a.size > mostRecent {
		r.forget(&r.answers[r.hand], 0)
		r.hand = (r.hand + 1) % len(r.answers)
	}
	place := &r.answers[hash%uint64(len(r.answers))]
	r.forget(place, len(place)-1)
	copy(place[1:], place[:len(place)-1])
	place[0] = a
	r.size += a.size
}

// forget forgets the answers of a place from one on.
func (r *recent) forget(place *[4]*answer, from int) {
	for i := from; i < len(place); i++ {
		if a := place[i]; a != nil {
			r.size -= a.size
			place[i] = nil
		}
	}
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
