package carddav_test

import (
	"context"
	"flag"
	"fmt"
	"iter"
	"net/url"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/test/davtest"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/carddav"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/sourcetest"
)

var (
	radicale = davtest.Suite{Start: davtest.Radicale}
	cyrus    = davtest.Suite{Start: davtest.Cyrus}
	sogo     = davtest.Suite{Start: davtest.SOGo}
)

func TestMain(m *testing.M) {
	flag.Parse()
	if runtime.GOMAXPROCS(0) < 6 { // the tests wait for servers most of the time
		_ = flag.Set("test.parallel", "6")
	}
	os.Exit(davtest.Main(m, &radicale, &cyrus, &sogo))
}

func TestSourceOfRadicale(t *testing.T) { t.Parallel(); runSuite(t, &radicale) }
func TestSourceOfCyrus(t *testing.T) {
	t.Parallel()
	runSuite(t, &cyrus)
}

// TestSourceOfSOGo waits minutes for the next second, since SOGo counts in whole ones. TestChurnOfSOGo always runs.
func TestSourceOfSOGo(t *testing.T) {
	if os.Getenv("CARDDAV_ALL") == "" {
		t.Skip("OPTIONAL: it takes minutes; CARDDAV_ALL=1 runs it")
	}
	t.Parallel()
	runSuite(t, &sogo)
}

func runSuite(t *testing.T, servers *davtest.Suite) {
	server := servers.Server(t)
	var kept func(string) string
	if server.Name == "SOGo" { // it keeps some values in columns of a table
		kept = func(text string) string {
			return strings.TrimPrefix(strings.TrimSpace(text[:min(len(text), 200)]), "=")
		}
	}
	sourcetest.Run(t, sourcetest.Target{
		Unsorted: true, Tokens: true, Kept: kept,
		New: func(t testing.TB) sourcetest.Service { return service(t, server) },
	})
}

// template returns a template of a text.
func template(t testing.TB, text string) source.Template {
	t.Helper()
	parsed, err := source.ParseTemplate(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// config is that of a server's books.
func config(t testing.TB, server *davtest.Server, books ...string) carddav.Config {
	return carddav.Config{
		URL: template(t, server.URL), Username: template(t, davtest.User), Password: template(t, davtest.Password), Books: books,
	}
}

// An aloneSource closes its factory with itself, as a process does.
type aloneSource struct {
	*carddav.Source
	factory source.Factory
}

func (s aloneSource) Close() error {
	if err := s.Source.Close(); err != nil {
		return err
	}
	return s.factory.Close()
}

// open opens a source as a process that has just started does.
func open(ctx context.Context, cfg carddav.Config, deps source.Deps) (aloneSource, error) {
	f, err := carddav.New(cfg, deps)
	if err != nil {
		return aloneSource{}, err
	}
	s, err := f.Open(ctx, nil)
	if err != nil {
		return aloneSource{}, err
	}
	return aloneSource{s.(*carddav.Source), f}, nil
}

// service is an address book of its own for a case of the suite. The suite's ids are texts of all kinds, and some of them can be no
// name of a file: so the names of the cards are numbers in their order, and known here.
func service(t testing.TB, server *davtest.Server) sourcetest.Service {
	b := &suiteBook{server: server, path: server.Book(t), names: map[string]string{}, ids: map[string]string{}}
	cfg := config(t, server, b.path)
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	cfg.URL = template(t, at.Scheme+"://"+at.Host+b.path) // nothing is discovered anew by each process; the churn does that
	cfg.Fields = record.Fields{
		Name: "fn", Title: "title", Company: "org", Emails: record.Expressions{"map(email, #)"}, Phones: record.Expressions{"map(tel, #)"},
		Websites: record.Expressions{"url"}, PhotoURL: "photo", Address: "label", Twitter: "x-twitter", URL: "x-url",
		CustomFields: record.CustomFields{{Key: "Plan", Expression: "x-plan"}},
	}
	var settle func()
	if server.Name == "SOGo" { // its tokens are whole seconds
		settle = func() { time.Sleep(2 * time.Second) }
	}
	s := sourcetest.Service{
		Settle: settle,
		Open: func(ctx context.Context) (bridge.Source, error) {
			src, err := open(ctx, cfg, source.Deps{})
			return suiteSource{src, b}, err
		},
		OpenWrong: func(ctx context.Context) (bridge.Source, error) {
			wrong := cfg
			wrong.Password = template(t, "wrong")
			src, err := open(ctx, wrong, source.Deps{})
			return suiteSource{src, b}, err
		},
		Now: time.Now,
		Put: func(_ time.Time, contacts ...contact.Contact) error {
			cards := map[string]string{}
			for _, c := range contacts {
				path := b.pathOf(c.ID)
				cards[path] = card(path, c)
			}
			server.PutAll(t, cards)
			return nil
		},
		Delete: func(_ time.Time, ids ...string) error {
			for _, id := range ids {
				server.Delete(t, b.pathOf(id))
			}
			return nil
		},
	}
	if server.Anybody {
		s.OpenWrong = nil
	}
	return s
}

// card writes a contact of the suite.
func card(path string, c contact.Contact) string {
	var b strings.Builder
	escape := strings.NewReplacer(`\`, `\\`, "\n", `\n`, ",", `\,`, ";", `\;`)
	line := func(name string, values ...string) {
		for _, value := range values {
			if value != "" {
				b.WriteString(name + ":" + escape.Replace(value) + "\r\n")
			}
		}
	}
	b.WriteString("BEGIN:VCARD\r\nVERSION:3.0\r\n")
	line("UID", strings.TrimSuffix(path[strings.LastIndexByte(path, '/')+1:], ".vcf"))
	line("FN", c.Name)
	b.WriteString("N:" + escape.Replace(c.Name) + ";;;;\r\n")
	line("TITLE", c.Title)
	line("ORG", c.Company)
	line("EMAIL", c.Emails...)
	line("TEL", c.Phones...)
	line("URL", c.Websites...)
	if c.PhotoURL != "" {
		b.WriteString("PHOTO;VALUE=URI:" + c.PhotoURL + "\r\n")
	}
	line("LABEL", c.Address)
	line("X-TWITTER", c.Twitter)
	line("X-URL", c.URL)
	for _, f := range c.CustomFields {
		line("X-PLAN", f.Value)
	}
	b.WriteString("END:VCARD\r\n")
	return b.String()
}

// A suiteBook knows the paths of the suite's ids.
type suiteBook struct {
	server *davtest.Server
	path   string
	names  map[string]string // of paths by id
	ids    map[string]string // by path
}

func (b *suiteBook) pathOf(id string) string {
	path, ok := b.names[id]
	if !ok {
		path = fmt.Sprintf("%scard%d.vcf", b.path, len(b.names))
		b.names[id], b.ids[path] = path, id
	}
	return path
}

// A suiteSource gives the contacts the suite's ids.
type suiteSource struct {
	aloneSource
	book *suiteBook
}

// Read implements [bridge.Source].
func (s suiteSource) Read(ctx context.Context, run bridge.Run, after bridge.Position, limit int) iter.Seq2[bridge.Change, error] {
	return func(yield func(bridge.Change, error) bool) {
		for change, err := range s.aloneSource.Read(ctx, run, after, limit) {
			if id, ok := s.book.ids[change.Contact.ID]; ok {
				change.Contact.ID = id
			}
			if !yield(change, err) {
				return
			}
		}
	}
}
