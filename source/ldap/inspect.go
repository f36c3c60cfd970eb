package ldap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	client "github.com/go-ldap/ldap/v3"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
)

// Inspect implements [source.Inspector]. It looks at a sample of the entries.
func (s *Source) Inspect(ctx context.Context) (source.Inspection, error) {
	var found source.Inspection
	err := s.tenant.with(ctx, func(r *reader) (err error) {
		found, err = r.inspect(ctx)
		return err
	})
	if err != nil {
		return source.Inspection{}, fmt.Errorf("inspect source: %w", err)
	}
	return found, nil
}

// half returns what reports whether half of the time is over that a context leaves.
func half(ctx context.Context) (over func() bool) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return func() bool { return false }
	}
	rest := time.Until(deadline) / 2
	return func() bool { return time.Until(deadline) < rest }
}

// sampleSize is how many entries of a part are looked at.
const sampleSize = 500

// A sample is what some of the entries have.
type sample struct {
	entries  int
	noID     int
	data     map[string]int // attributes with values that are no text
	attrs    map[string]int // attributes in use, as the server writes them
	examples map[string]string
}

func (r *reader) inspect(ctx context.Context) (source.Inspection, error) {
	if err := r.visible(ctx); err != nil {
		return source.Inspection{}, err
	}
	w, err := r.way(ctx)
	if err != nil {
		return source.Inspection{}, err
	}
	n, err := r.count(ctx, half(ctx))
	contacts := strconv.FormatInt(n, 10)
	if errors.Is(err, errEnough) { // of a very large directory that is all that is told here
		contacts, err = "more than "+contacts, nil
	}
	if err != nil {
		return source.Inspection{}, err
	}
	seen, err := r.sample(ctx)
	if err != nil {
		return source.Inspection{}, err
	}
	i := source.Inspection{Mapping: r.mapped(), Unused: r.unused(seen)}
	i.Facts = []source.Fact{
		{Name: "server", Value: r.serverName()},
		{Name: "base", Value: strings.Join(r.baseNames(), "; ")},
		{Name: "filter", Value: r.parts[0].filter},
		{Name: "contacts", Value: contacts},
		{Name: "order", Value: "id"},
		{Name: "changes", Value: r.explainWay(w)},
	}
	if i.Problems, err = r.problems(ctx, w, n, seen); err != nil {
		return source.Inspection{}, err
	}
	source.SortProblems(i.Problems)
	return i, nil
}

func (r *reader) serverName() string {
	name := productNames[r.root.product]
	if version := r.root.value("vendorVersion"); version != "" {
		name += " (" + version + ")"
	}
	return name
}

func (r *reader) baseNames() []string {
	var names []string
	for _, p := range r.parts {
		if !slices.Contains(names, p.base) {
			names = append(names, p.base)
		}
	}
	return names
}

// explainWay says for people how changes and deletions are found.
func (r *reader) explainWay(w way) string {
	switch w.name() {
	case changesSync:
		return "content synchronization (RFC 4533)"
	case changesLog:
		return "the server's changelog"
	case changesUSN:
		return "update sequence numbers (uSNChanged)"
	case changesStamp:
		return fmt.Sprintf("%s, read again from %s before the newest one", r.stamps, r.cfg.Overlap)
	}
	return "everything is compared by every run"
}

// mapped says where fields come from.
func (r *reader) mapped() []record.Mapped {
	columns := r.mapping.mapper.Columns()
	for i := range columns {
		columns[i].Auto = r.mapping.usual
	}
	list := record.Mapping(r.mapping.idFrom, columns)
	list[0].Auto = r.mapping.id == nil && r.cfg.ID == ""
	if r.stamps != "" {
		list = append(list, record.Mapped{Field: "updated", From: r.stamps, Auto: true})
	}
	return list
}

// sample looks at some entries with all their attributes.
func (r *reader) sample(ctx context.Context) (sample, error) {
	seen := sample{data: map[string]int{}, attrs: map[string]int{}, examples: map[string]string{}}
	for _, p := range r.parts {
		q := r.queryOf(p, "")
		q.wanted = []string{"*", r.mapping.idNative}
		if r.mapping.id != nil {
			q.wanted = append(q.wanted, r.mapping.wanted...)
		}
		_, err := r.page(ctx, q, client.NewControlPaging(uint32(min(sampleSize, r.cfg.PageSize))), func(e *client.Entry) error {
			if p.members.has(e) {
				r.look(&seen, e)
			}
			return nil
		})
		if err != nil {
			return sample{}, err
		}
	}
	return seen, nil
}

// look counts what an entry has.
func (r *reader) look(seen *sample, e *client.Entry) {
	seen.entries++
	if record := r.mapping.record(e, r.schema, &r.row); record.kind == kindRejected {
		seen.noID++
	}
	for _, a := range e.Attributes {
		name := plainName(a.Name)
		seen.attrs[name]++
		lower := strings.ToLower(name)
		for _, value := range a.ByteValues {
			if _, ok := text(lower, value, r.schema.binary[lower]); !ok {
				seen.data[name]++
				break
			}
		}
	}
}

// unused lists the attributes of the sample that go nowhere.
func (r *reader) unused(seen sample) []string {
	used := map[string]bool{"objectclass": true, strings.ToLower(r.mapping.idNative): true}
	for _, u := range r.mapping.used {
		used[strings.ToLower(r.mapping.columns[u.index])] = true
	}
	var list []string
	for name := range seen.attrs {
		if !used[strings.ToLower(name)] {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// problems lists what is wrong or worth knowing.
func (r *reader) problems(ctx context.Context, w way, n int64, seen sample) ([]source.Problem, error) {
	var list []source.Problem
	add := func(severity source.Severity, found bool, code, message, hint string) {
		if found {
			list = append(list, source.Problem{Severity: severity, Code: code, Message: message, Hint: hint})
		}
	}
	add(source.Failure, n == 0, "no_rows", "no entry is a contact", "Check base, filter and member_of, and what the user of bind_dn may read.")
	add(source.Failure, seen.noID > 0, "no_id", fmt.Sprintf("%d of %d entries have no %s and cannot be sent: contacts that are missing are not deleted", seen.noID, seen.entries, r.mapping.idFrom),
		"Leave id out, or set it to an attribute that every contact has.")
	add(source.Note, r.mapping.id != nil, "own_id", "id is not the server's own: deletions are only found by full runs", "Leave id out.")
	if err := r.noDeletions(ctx, w, add); err != nil {
		return nil, err
	}
	add(source.Note, r.references > 0, "references", "the server refers to others, which are not read: "+strings.Join(r.referred, ", "),
		"Make an endpoint for each server with contacts, and combine them with sources.")
	add(source.Warning, len(r.schema.names) == 0, "no_schema", "the server does not show its schema: names of attributes cannot be checked", "Let the user of bind_dn read cn=Subschema.")
	if names := sortedKeys(seen.data); len(names) > 0 {
		add(source.Note, true, "data", "values that are no text, such as photos, are not sent: "+strings.Join(names, ", "), "")
	}
	add(source.Warning, r.insecure(), "not_encrypted", "password and contacts go over the network as plain text", "Set start_tls: true, or write ldaps:// in url.")
	return list, nil
}

// noDeletions says where deletions are not seen.
func (r *reader) noDeletions(ctx context.Context, w way, add func(source.Severity, bool, string, string, string)) error {
	if r.mapping.id != nil {
		return nil
	}
	const full = "deletions are only found by full runs"
	switch w.name() {
	case changesStamp:
		hint := "Load the overlay syncprov (OpenLDAP), or enable the Retro Changelog (389 Directory Server): see docs/ldap.md."
		add(source.Warning, true, "no_deletions", full, hint)
	case changesUSN:
		sees, err := r.seesDeleted(ctx)
		if err != nil {
			return err
		}
		add(source.Warning, !sees, "no_deletions", "the reader may not see deleted objects: "+full,
			"Grant it List Contents and Read Property on CN=Deleted Objects: see docs/ldap.md.")
	}
	return nil
}

// insecure reports whether others on the network may read along.
func (r *reader) insecure() bool {
	return r.login.dn != "" && r.login.address.scheme == "ldap" && !r.login.startTLS && !isLocal(r.login.address.host)
}

// isLocal reports whether a host is this machine.
func isLocal(host string) bool {
	return host == "localhost" || host == "::1" || strings.HasPrefix(host, "127.")
}

func sortedKeys(m map[string]int) []string {
	var list []string
	for key := range m {
		list = append(list, key)
	}
	slices.Sort(list)
	return list
}
