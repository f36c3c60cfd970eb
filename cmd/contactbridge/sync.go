package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/progress"
	"github.com/contactbridge/contactbridge/synchronizer"
)

// syncFlags are the flags of contactbridge sync.
type syncFlags struct {
	directoryFlags
	authFlags

	full            bool
	acceptDeletions string
	guard           string
	maxPages        int64
	pageLimit       string
	timeout         time.Duration
	attempts        int
	retryFor        time.Duration
	lease           time.Duration
	freshFor        time.Duration
	json            bool
	quiet           bool
}

func newSyncCommand() *cobra.Command {
	var f syncFlags
	cmd := &cobra.Command{
		Use:     "sync URL",
		GroupID: groupSync,
		Short:   "Fetch contacts from any bridge into a directory",
		Long: `Fetch contacts from any bridge into a directory: all of them the first time, afterwards what was created or updated.

URL is the bridge's endpoint, as in https://bridge.example.com/crm/contact_sync. A run that was interrupted or failed keeps
what it stored, and the next one goes on where it stopped. Contacts that a complete initial run (--full) does not show any
more are deleted, and so are those that the bridge names as deleted, unless they are too many: then they are held back, and
the command lists them and asks for --accept-deletions=SET.`,
		Example: `  contactbridge sync http://127.0.0.1:8080/crm/contact_sync --auth username=agent --auth-env password=CRM_PASSWORD
  contactbridge sync https://bridge.example.com/crm/contact_sync --auth-file crm.auth --region US --full --json`,
		Args:              takes("URL"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, args[0])
		},
	}
	f.directoryFlags.add(cmd,
		"`name` under which the bridge's contacts are kept (default: the URL's host and path without /contact_sync)",
		"`country` where numbers without a country code were written, as in US or GB")
	f.authFlags.add(cmd)
	f.add(cmd)
	return cmd
}

func (f *syncFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.full, "full", false, "start over with an initial run: every contact")
	flags.StringVar(&f.acceptDeletions, "accept-deletions", "", "delete the contacts of the `set` that an earlier run held back, before this run; without a value those that wait now")
	flags.Lookup("accept-deletions").NoOptDefVal = newestSet
	flags.StringVar(&f.guard, "guard", "20%", "`share` of the contacts that may be gone (and 10 of them) before deleting asks; 0% always asks")
	flags.Int64Var(&f.maxPages, "max-pages", synchronizer.DefaultMaxPages, "pages after which a run counts as endless")
	flags.StringVar(&f.pageLimit, "page-limit", "32MiB", "`size` that an answer of the bridge may have")
	flags.DurationVar(&f.timeout, "timeout", 10*time.Second, "time that an answer of the bridge may take")
	flags.IntVar(&f.attempts, "attempts", 6, "requests for one page before giving up; 1 does not retry")
	flags.DurationVar(&f.retryFor, "retry-for", 5*time.Minute, "time for all attempts at one page")
	flags.DurationVar(&f.lease, "lease", 5*time.Second, "time without a sign of life after which another process may take the run over")
	flags.DurationVar(&f.freshFor, "fresh-for", synchronizer.DefaultFreshFor, "age up to which an unfinished run is gone on with")
	flags.BoolVar(&f.json, "json", false, "print the report as one JSON object")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print nothing but errors (and the report with --json)")
}

func (f *syncFlags) run(cmd *cobra.Command, address string) (err error) {
	client, key, opts, err := f.prepare(cmd, address)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	store, err := f.open(cmd.Context(), false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	accepted, err := f.accept(cmd, store, key)
	if err != nil {
		return err
	}
	report, err := f.synchronize(cmd, client, store, key, opts)
	report.Accepted = accepted
	if printed := f.print(cmd, report); printed != nil {
		return errors.Join(err, printed)
	}
	return f.hint(address, client, err)
}

// hint adds to an error what the operator most likely got wrong on the command line.
func (f *syncFlags) hint(address string, client *bridge.Client, err error) error {
	if bridge.CodeOf(err) == bridge.CodeUnauthorized {
		if len(client.Auth) == 0 {
			return failure.WithHint(err, "Give the bridge's credentials with --auth key=value, --auth-env or --auth-file.")
		}
		return failure.WithHint(err, "Check the names and values that --auth, --auth-env and --auth-file give.")
	}
	return addressHint(address, err)
}

// prepare makes of flags and arguments what a run needs.
func (f *syncFlags) prepare(cmd *cobra.Command, address string) (*bridge.Client, directory.Key, synchronizer.Options, error) {
	key, opts := directory.Key{Account: f.account}, synchronizer.Options{}
	target, err := parseBridgeURL(address)
	if err != nil {
		return nil, key, opts, err
	}
	key.Integration = f.integration
	if key.Integration == "" {
		key.Integration = integrationName(target)
	}
	auth, err := f.auth(cmd.InOrStdin())
	if err != nil {
		return nil, key, opts, err
	}
	if opts, err = f.options(); err != nil {
		return nil, key, opts, err
	}
	opts.Settings = synchronizer.SettingsDigest(target.String(), f.region, identity(auth))
	limit, err := humanize.ParseBytes(f.pageLimit)
	if err != nil || limit == 0 || limit > math.MaxInt32 {
		return nil, key, opts, misuse(fmt.Sprintf("--page-limit %q is not a size", f.pageLimit), "For example 32MiB.")
	}
	return &bridge.Client{URL: target.String(), Auth: auth, MaxBody: int64(limit), Timeout: f.timeout}, key, opts, nil
}

// identity returns the auth values that tell which tenant's contacts are asked for. A secret is not among them.
func identity(auth bridge.Auth) map[string]string {
	values := map[string]string{}
	for name, value := range auth {
		if synchronizer.Identifies(name) {
			values[name] = value
		}
	}
	return values
}

// options checks the flags that say how a run goes.
func (f *syncFlags) options() (synchronizer.Options, error) {
	var none synchronizer.Options
	if err := f.check(); err != nil {
		return none, err
	}
	for _, number := range []struct {
		flag  string
		value int64
	}{
		{"timeout", int64(f.timeout)},
		{"max-pages", f.maxPages},
		{"attempts", int64(f.attempts)},
		{"retry-for", int64(f.retryFor)},
		{"lease", int64(f.lease)},
		{"fresh-for", int64(f.freshFor)},
	} {
		if number.value <= 0 {
			return none, misuse("--"+number.flag+" must be more than 0", "")
		}
	}
	share, err := parseShare(f.guard)
	if err != nil {
		return none, err
	}
	return synchronizer.Options{
		Full: f.full, Guard: directory.NewGuard(share, directory.DefaultGuard().Min), MaxPages: f.maxPages,
		Lease: f.lease, FreshFor: f.freshFor, TakeOver: true,
		Retry: synchronizer.Retry{Attempts: f.attempts, Within: f.retryFor},
	}, nil
}

// parseShare reads "20%" or "20": per cent, from 0 to 100.
func parseShare(text string) (float64, error) {
	percent, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(text, "%")), 64)
	if err != nil || !(percent >= 0 && percent <= 100) {
		return 0, misuse(fmt.Sprintf("--guard %q is not a share", text), "Use per cent, as in 20%.")
	}
	return percent / 100, nil
}

// parseBridgeURL checks the address that a user typed.
func parseBridgeURL(address string) (*url.URL, error) {
	if !strings.Contains(address, "://") {
		scheme := "https://"
		if strings.HasPrefix(address, "localhost") || strings.HasPrefix(address, "127.") {
			scheme = "http://"
		}
		shown := withoutSecrets(address)
		return nil, misuse(fmt.Sprintf("%q is not a URL: it does not say http or https", shown), "Did you mean "+scheme+shown+"?")
	}
	target, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, misuse("the URL cannot be read", "Write it as in https://bridge.example.com/crm/contact_sync.")
	case target.Scheme != "http" && target.Scheme != "https":
		return nil, misuse(fmt.Sprintf("a bridge speaks http or https, not %s", target.Scheme), "Write it as in https://bridge.example.com/crm/contact_sync.")
	case target.Hostname() == "":
		return nil, misuse("the URL has no host", "Write it as in https://bridge.example.com/crm/contact_sync.")
	case target.User != nil:
		return nil, misuse("the URL holds credentials, which would end up in logs", "Give them with --auth, --auth-env or --auth-file.")
	}
	return target, nil
}

// withoutSecrets is an address that may be printed: without a user, a password or a query.
func withoutSecrets(address string) string {
	address, _, _ = strings.Cut(address, "?")
	if at := strings.LastIndex(address, "@"); at >= 0 {
		address = address[at+1:]
	}
	return oneLine(address)
}

// integrationName is the name that a bridge's contacts are kept under if no other name is given: its host and its path without
// /contact_sync. Two bridges must never have one name: a complete run of the one would delete the other's contacts (E6). So
// the query counts, which may choose a tenant; as a digest, because it may hold a secret.
func integrationName(target *url.URL) string {
	name := strings.ToLower(target.Host)
	if port := target.Port(); port == map[string]string{"http": "80", "https": "443"}[target.Scheme] {
		name = strings.TrimSuffix(name, ":"+port)
	}
	path := strings.TrimSuffix(strings.TrimRight(target.EscapedPath(), "/"), "/contact_sync")
	if path = strings.Trim(path, "/"); path != "" {
		name += "/" + path
	}
	if target.RawQuery != "" {
		digest := sha256.Sum256([]byte(target.RawQuery))
		name += "?" + hex.EncodeToString(digest[:4])
	}
	return name
}

// addressHint adds to an error what is most likely wrong with the address that was typed.
func addressHint(address string, err error) error {
	answer, ok := errors.AsType[*bridge.Error](err)
	if !ok || answer.Status == 0 {
		return err
	}
	target, bad := parseBridgeURL(address)
	if bad != nil {
		return err
	}
	missing := !strings.HasSuffix(strings.TrimSuffix(target.Path, "/"), "/contact_sync")
	var elsewhere bool // the answer is most likely not a bridge's
	switch answer.Code {
	case bridge.CodeNotFound, bridge.CodeMethodNotAllowed, bridge.CodeRedirected:
		elsewhere = true
	case bridge.CodeBadAnswer: // any other hint says what the bridge does wrong
		elsewhere = strings.Contains(answer.Hint, "URL")
	}
	switch {
	case missing && elsewhere:
		return failure.WithHint(err, "Did you mean "+target.Scheme+"://"+target.Host+"/"+strings.TrimPrefix(target.JoinPath("contact_sync").EscapedPath(), "/")+"?")
	case target.Scheme == "http" && answer.Status == 400 && strings.Contains(answer.Message, "HTTPS"):
		return failure.WithHint(err, "Did you mean https://"+target.Host+target.EscapedPath()+"?")
	}
	return err
}

// manyToIndex is from how many contacts on the search index takes much memory when they are entered.
const manyToIndex = 100_000

// synchronize does the run and shows how it goes.
func (f *syncFlags) synchronize(cmd *cobra.Command, client *bridge.Client, store directory.Store, key directory.Key, opts synchronizer.Options) (synchronizer.Report, error) {
	var shown progress.Reporter = progress.Nothing{}
	if !f.quiet {
		shown = progress.New(cmd.ErrOrStderr(), key.Integration)
	}
	defer shown.Close()
	s := synchronizer.Synchronizer{
		Bridge: client, Store: store, Progress: func(e synchronizer.Event) {
			if e.Kind == synchronizer.Indexing && e.Contacts >= manyToIndex {
				debug.FreeOSMemory() // what the pages took: the search index takes its own, outside of Go's
			}
			shown.Event(e)
		},
		Numbers: func(phones []string) []directory.Number { return caller.Numbers(phones, f.region) }, Reading: caller.Reading(f.region),
	}
	return s.Run(cmd.Context(), key, opts)
}
