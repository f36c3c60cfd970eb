package carddav_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/test/davtest"
	"github.com/contactbridge/contactbridge/source"
)

func TestChurnOfRadicale(t *testing.T) { churn(t, radicale.Server(t)) }
func TestChurnOfCyrus(t *testing.T)    { churn(t, cyrus.Server(t)) }
func TestChurnOfSOGo(t *testing.T)     { churn(t, sogo.Server(t)) }

// TestAnotherServer runs everything against a server that runs already:
//
//	CARDDAV_URL=http://127.0.0.1:5232/ CARDDAV_HOME=/alice/contacts/ CARDDAV_CHURN=100 go test ./source/carddav -run TestAnotherServer -v
//
// Its user is alice with the password "secret"; CARDDAV_HOME is the collection of her address books.
func TestAnotherServer(t *testing.T) {
	address, at := os.Getenv("CARDDAV_URL"), os.Getenv("CARDDAV_HOME")
	if address == "" || at == "" {
		t.Skip("OPTIONAL: CARDDAV_URL and CARDDAV_HOME name no server")
	}
	server, err := davtest.Running(address, at)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("Suite", func(t *testing.T) {
		runSuite(t, &davtest.Suite{Start: func(context.Context) (*davtest.Server, error) { return server, nil }})
	})
	t.Run("Churn", func(t *testing.T) { churn(t, server) })
}

// A churner changes two address books, and knows for every card which versions it has had.
type churner struct {
	t      *testing.T
	server *davtest.Server
	books  [2]string
	random *rand.Rand

	mu        sync.Mutex
	past      map[string][]string // versions by path, in order, also of writes that have only begun; "" is a deletion
	committed map[string]int      // how many of them have been answered
	next      int
}

// churnPause is the time between two changes.
const churnPause = 10 * time.Millisecond

// churn makes runs while cards are created, changed, renamed, moved to the other book and deleted: two, or as many as CARDDAV_CHURN
// says. After each of them every card must be stored in the version that it had when the run began, or a later one.
func churn(t *testing.T, server *davtest.Server) {
	runs := 2
	if text := os.Getenv("CARDDAV_CHURN"); text != "" {
		var err error
		if runs, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	c := &churner{
		t: t, server: server, books: [2]string{server.Book(t), server.Book(t)}, random: rand.New(rand.NewPCG(seed, 1)),
		past: map[string][]string{}, committed: map[string]int{},
	}
	for range 25 {
		c.create()
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	end := sync.OnceFunc(func() {
		close(stop)
		<-stopped
	})
	defer end() // a failure, too: its books are removed then
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(churnPause):
				c.step()
			}
		}
	}()
	stored := map[string]string{}
	checkpoint := bridge.Checkpoint("")
	lost, wrong := 0, 0
	for n := range runs {
		if n%4 == 3 {
			checkpoint = "" // an initial run, which judges what is gone
		}
		start := c.start()
		checkpoint = c.run(stored, checkpoint, 5+n%7)
		l, w := c.check(start, stored)
		lost, wrong = lost+l, wrong+w
	}
	end()
	start := c.start()
	c.run(stored, checkpoint, 100)
	l, w := c.check(start, stored)
	t.Logf("%s: %d runs over %d changes of %d paths: %d lost or old, %d wrongly deleted", server.Name, runs+1, c.next, len(c.past), lost+l, wrong+w)
}

// write notes versions, makes the request that writes them, and notes that it was answered.
func (c *churner) write(versions map[string]string, request func()) {
	c.mu.Lock()
	for path, version := range versions {
		c.past[path] = append(c.past[path], version)
	}
	c.mu.Unlock()
	request()
	c.mu.Lock()
	defer c.mu.Unlock()
	for path := range versions {
		c.committed[path] = len(c.past[path])
	}
}

func (c *churner) create() {
	c.next++
	path, version := fmt.Sprintf("%scard%d.vcf", c.books[c.random.IntN(2)], c.next), fmt.Sprintf("v%d", c.next)
	c.write(map[string]string{path: version}, func() { c.server.Put(c.t, path, churned(path, version)) })
}

// churned is a card at a version.
func churned(path, version string) string {
	uid := strings.TrimSuffix(path[strings.LastIndexByte(path, '/')+1:], ".vcf")
	return "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:" + uid + "\r\nFN:" + version + "\r\nN:" + version + ";;;;\r\nEND:VCARD\r\n"
}

// step makes one change.
func (c *churner) step() {
	var there []string
	c.mu.Lock()
	for path, versions := range c.past {
		if versions[len(versions)-1] != "" {
			there = append(there, path)
		}
	}
	c.mu.Unlock()
	slices.Sort(there)
	if len(there) < 15 {
		c.create()
		return
	}
	path := there[c.random.IntN(len(there))]
	book, name := path[:strings.LastIndexByte(path, '/')+1], path[strings.LastIndexByte(path, '/')+1:]
	switch c.random.IntN(7) {
	case 0:
		c.create()
	case 6: // and back to what it was, to the letter
		c.mu.Lock()
		past := c.past[path]
		c.mu.Unlock()
		c.next++
		uid := strings.TrimLeft(name, "r")
		for _, version := range []string{fmt.Sprintf("v%d", c.next), past[len(past)-1]} {
			c.write(map[string]string{path: version}, func() { c.server.Put(c.t, path, churned(uid, version)) })
			time.Sleep(time.Duration(c.random.Int64N(int64(4 * churnPause))))
		}
	case 1:
		c.write(map[string]string{path: ""}, func() { c.server.Delete(c.t, path) })
	case 2: // to another name
		c.move(path, book+"r"+name)
	case 3: // to the other book
		to := c.books[0]
		if to == book {
			to = c.books[1]
		}
		c.move(path, to+name)
	default:
		c.next++
		version := fmt.Sprintf("v%d", c.next)
		uid := strings.TrimLeft(name, "r")
		c.write(map[string]string{path: version}, func() { c.server.Put(c.t, path, churned(uid, version)) })
	}
}

func (c *churner) move(from, to string) {
	c.mu.Lock()
	versions, taken := c.past[from], c.past[to]
	c.mu.Unlock()
	if len(taken) > 0 && taken[len(taken)-1] != "" {
		return
	}
	c.write(map[string]string{from: "", to: versions[len(versions)-1]}, func() { c.server.Move(c.t, from, to) })
}

// start returns how many versions of each path were answered.
func (c *churner) start() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	start := map[string]int{}
	for path, n := range c.committed {
		start[path] = n
	}
	return start
}

// run makes a run in pages, each by a process that has just started or by the one before, and returns its checkpoint.
func (c *churner) run(stored map[string]string, since bridge.Checkpoint, size int) bridge.Checkpoint {
	c.t.Helper()
	must := func(err error) {
		if err != nil {
			c.t.Fatal(err)
		}
	}
	cfg := config(c.t, c.server, c.books[0], c.books[1])
	src, err := open(c.t.Context(), cfg, source.Deps{})
	must(err)
	defer func() { _ = src.Close() }()
	run, err := src.Begin(c.t.Context(), since)
	must(err)
	shown := map[string]bool{}
	var at bridge.Position
	for page := 1; ; page++ {
		n := 0
		for change, err := range src.Read(c.t.Context(), run, at, size) {
			must(err)
			if n++; n > size {
				break
			}
			at = slices.Clone(change.Position)
			id := strings.Clone(change.Contact.ID)
			shown[id] = true
			switch {
			case change.Rejected != "":
				c.t.Logf("rejected: %s", change.Rejected)
			case change.Deleted:
				delete(stored, id)
			default:
				stored[id] = strings.Clone(change.Contact.Name)
			}
		}
		if n < size {
			break
		}
		if page%2 == 0 {
			_ = src.Close()
			src, err = open(c.t.Context(), cfg, source.Deps{})
			must(err)
		}
	}
	if run.Initial() {
		for id := range stored {
			if !shown[id] {
				delete(stored, id)
			}
		}
	}
	return src.Checkpoint(run, at, true)
}

// check compares what is stored with the versions since a run began.
func (c *churner) check(start map[string]int, stored map[string]string) (lost, wrong int) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for path, versions := range c.past {
		allowed := append([]string{""}, versions...)
		if n := start[path]; n > 0 {
			allowed = versions[n-1:]
		}
		if slices.Contains(allowed, stored[path]) {
			continue
		}
		c.t.Errorf("%s is stored as %q; it was %q when the run began or later", path, stored[path], allowed)
		if stored[path] == "" {
			wrong++
		} else {
			lost++
		}
	}
	for path := range stored {
		if c.past[path] == nil {
			c.t.Errorf("%s is stored and was never written", path)
		}
	}
	return lost, wrong
}
