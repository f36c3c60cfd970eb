// Package source holds what the kinds of source share: what a kind is, how a configuration maps an external service's fields to
// a contact's, how credentials are put into it, and the pool of open connections.
package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/clock"
	"github.com/contactbridge/contactbridge/source/record"
)

// Deps holds what a factory gets from the process besides its configuration. The zero value works.
type Deps struct {
	Logger *slog.Logger // nil means that nothing is logged
	Clock  clock.Clock  // nil means [clock.System]
	// Folder is the base of relative file names in a configuration: the configuration file's own folder. Empty means
	// the working directory. See [Deps.Path].
	Folder string
	// Endpoint is the endpoint's name. What stands in the configuration itself is known by it, having no other place.
	Endpoint string
	// Uploads are files that were uploaded to this process, by their names: where a configuration's file name is [UploadPrefix] and one of
	// them. Such a file never changes, and belongs to nobody else's source.
	Uploads map[string]Upload
	// Untrusted says that somebody else wrote the configuration than the operator of this process ([Kind.Untrusted]). What a kind opens with
	// callers' credentials in it is judged as it is opened, besides the judgement of the configuration.
	Untrusted bool
	// Unpacked is the most, in bytes, that an archive's part may unpack to; 0 means what its kind can read.
	Unpacked int64
	// Formats are those that kinds read, so that a kind can tell a file of another one.
	Formats []Format
	// Transport carries the requests of kinds that speak HTTP; nil means [http.DefaultTransport].
	Transport http.RoundTripper
	// Dial opens the connections of every other kind, as [net.Dialer.DialContext] does; nil means a zero [net.Dialer].
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// UploadPrefix stands before the name of an uploaded file where a configuration names a file.
const UploadPrefix = "upload:"

// An Upload is a file that was uploaded.
type Upload struct {
	Path  string // where it is now
	Scope string // whose it is: checkpoints belong to that and its name, wherever it is (D10)
}

// Upload returns the uploaded file that a configuration's file name means. ok is false where the name means another file.
func (d Deps) Upload(name string) (u Upload, ok bool) {
	name, ok = strings.CutPrefix(name, UploadPrefix)
	if !ok {
		return Upload{}, false
	}
	u = d.Uploads[name]
	u.Scope = UploadPrefix + u.Scope + "/" + name
	return u, true
}

// Path returns a configuration's file name as the process finds it.
func (d Deps) Path(name string) string {
	if d.Folder == "" || name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(d.Folder, name)
}

// MaxCertificates is the most, in bytes, that a file of certificates may have: those of all authorities that systems know take 250 KiB.
const MaxCertificates = 4 << 20

// ReadFile reads a small file that a configuration names. One of more than most bytes, which a device may have without end, is an error.
func ReadFile(name string, most int) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, int64(most)+1))
	if err == nil && len(content) > most {
		return nil, &os.PathError{Op: "read", Path: name, Err: fmt.Errorf("it has more than %d bytes", most)}
	}
	return content, err
}

// FullName returns a file's name from the root on: what its contacts' checkpoints belong to (D10).
func FullName(name string) string {
	if full, err := filepath.Abs(name); err == nil {
		return full
	}
	return name
}

// Defaults fills in what is nil.
func (d Deps) Defaults() Deps {
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if d.Clock == nil {
		d.Clock = clock.System{}
	}
	if d.Transport == nil {
		d.Transport = http.DefaultTransport
	}
	if d.Dial == nil {
		d.Dial = new(net.Dialer).DialContext
	}
	return d
}

// A Factory opens the sources of one endpoint. It is made from the endpoint's configuration and lives as long as the
// process; it keeps connections by credential, so that a request costs no reconnect and no caller gets another caller's connection.
type Factory interface {
	// Open returns the source for one caller's credentials. The caller closes it.
	Open(ctx context.Context, auth bridge.Auth) (bridge.Source, error)
	// Close closes everything that Open opened.
	Close() error
}

// A Checker is a source that can tell whether a run could begin: whether its credentials are good, and what the configuration
// names is there and may be read. Check asks the external service anew, and reads no more than it takes to tell. For any
// other source Begin decides.
type Checker interface {
	Check(ctx context.Context) error
}

// ErrBusy is the cause of an error of a source that takes longer to read than a request may, and goes on reading: whoever asks for the same
// again gets it.
var ErrBusy = errors.New("reading goes on")

// A CallerChecker is a factory that can tell what is wrong where nothing but the source judges its callers (auth: source): then they
// may send any credential.
type CallerChecker interface {
	// CheckCallers returns what is wrong, as an error of the configuration.
	CheckCallers() error
}

// A SearchChecker is a factory of sources that can be asked for a phone number: they are [bridge.Searcher]s. Sources of any other
// factory cannot be asked.
type SearchChecker interface {
	// CheckSearch returns what is missing in the configuration, as a [ConfigError]; nil: its sources can be asked.
	CheckSearch() error
}

// NoPhones is what [SearchChecker] says of a configuration in which no field is a phone number.
func NoPhones() error {
	return &ConfigError{Key: "fields.phones", Message: "the source cannot be asked for a number: no field is a phone number", Hint: "Set fields.phones, or leave ask out."}
}

// An Inspector is a source that can say how it would serve its contacts, and what is wrong with them. It reads only what
// is needed to tell, within the context's deadline.
type Inspector interface {
	Inspect(ctx context.Context) (Inspection, error)
}

// A Counter is a source that can say how many contacts an initial run would yield: -1 means unknown.
type Counter interface {
	Count(ctx context.Context) (int64, error)
}

// An Inspection holds what preview shows besides the contacts.
type Inspection struct {
	Mapping  []record.Mapped // which contact field comes from where, in the order of bridge documents
	Facts    []Fact          // how the run would work: order, safe horizon, time zone, number of contacts
	Problems []Problem       // worst first
	Unused   []string        // columns that go nowhere, in their order
}

// A Fact is one line about the source.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// A Severity says how bad a problem is.
type Severity string

// The severities of a problem.
const (
	Failure Severity = "failure" // the endpoint cannot work, or would lose contacts
	Warning Severity = "warning" // it works, but slowly, or promises less
	Note    Severity = "note"    // worth knowing
)

// A Problem is something wrong with a source, and what to do about it.
type Problem struct {
	Severity Severity `json:"severity"`
	Code     string   `json:"code"` // stable, for programs: "no_index", "null_updated"
	Message  string   `json:"message"`
	Hint     string   `json:"hint,omitempty"`
}

// SortProblems puts the worst problems first, and keeps the order of equally bad ones.
func SortProblems(problems []Problem) {
	rank := map[Severity]int{Failure: 0, Warning: 1, Note: 2}
	slices.SortStableFunc(problems, func(a, b Problem) int { return cmp.Compare(rank[a.Severity], rank[b.Severity]) })
}
