package ldap

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	client "github.com/go-ldap/ldap/v3"

	"github.com/contactbridge/contactbridge/bridge"
)

// A query is one search.
type query struct {
	base     string
	scope    int
	filter   string
	wanted   []string
	controls []client.Control
}

// A pagingControl is that of RFC 2696, sent as critical: a server that cannot page must say so, and not stop at its limit.
type pagingControl struct{ *client.ControlPaging }

// Encode implements [client.Control].
func (c pagingControl) Encode() *ber.Packet {
	plain := c.ControlPaging.Encode()
	packet := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "Control")
	packet.AppendChild(plain.Children[0])
	packet.AppendChild(ber.NewBoolean(ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean, true, "Criticality"))
	packet.AppendChild(plain.Children[1])
	return packet
}

// A criticalControl has no value.
type criticalControl string

// GetControlType implements [client.Control].
func (c criticalControl) GetControlType() string { return string(c) }

// String implements [client.Control].
func (c criticalControl) String() string { return string(c) }

// Encode implements [client.Control].
func (c criticalControl) Encode() *ber.Packet {
	packet := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "Control")
	packet.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, string(c), "Type"))
	packet.AppendChild(ber.NewBoolean(ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean, true, "Criticality"))
	return packet
}

const (
	showDeleted      = criticalControl("1.2.840.113556.1.4.417")
	inChain          = "1.2.840.113556.1.4.1941"
	pagedResults     = client.ControlTypePaging
	syncRequest      = client.ControlTypeSyncRequest
	asyncBuffer      = 64
	mostEmptyPages   = 100
	refreshRequired  = 4096 // e-syncRefreshRequired of RFC 4533
	mostInOneFilter  = 50
	mostReferences   = 5
	maxGroupsInGroup = 10_000
)

// search reads the entries of a query in pages, over one connection, and passes each to take. It ends without an error only if the
// server has said that this was all.
func (r *reader) search(ctx context.Context, q query, take func(*client.Entry) error) error {
	paging := client.NewControlPaging(uint32(r.cfg.PageSize))
	for empty := 0; ; {
		n := 0
		var ranged []*client.Entry
		done, err := r.page(ctx, q, paging, func(e *client.Entry) error {
			n++
			if hasRange(e) {
				ranged = append(ranged, e)
				return nil
			}
			return take(e)
		})
		if err == nil {
			err = r.takeRanged(ctx, ranged, take)
		}
		if err != nil {
			return err
		}
		if len(done.Cookie) == 0 {
			return nil
		}
		paging.SetCookie(done.Cookie)
		if n > 0 {
			empty = 0
		} else if empty++; empty > mostEmptyPages {
			return &bridge.Error{Code: bridge.CodeSourceBroken, Message: "the server gives empty pages and no end" + of(q.base), Hint: "Report it with the server's name and version."}
		}
	}
}

// page reads one page, and returns what the server says about the next one.
func (r *reader) page(ctx context.Context, q query, paging *client.ControlPaging, take func(*client.Entry) error) (*client.ControlPaging, error) {
	q.controls = append([]client.Control{pagingControl{paging}}, q.controls...)
	var done *client.ControlPaging
	err := r.stream(ctx, q, func(e *client.Entry, controls []client.Control) error {
		for _, c := range controls {
			if p, ok := c.(*client.ControlPaging); ok {
				done = p
			}
		}
		if e == nil {
			return nil
		}
		return take(e)
	})
	if err == nil && done == nil {
		err = &bridge.Error{
			Code: bridge.CodeSourceBroken, Message: "the server gave entries, but no page" + of(q.base) + ": some may be missing",
			Hint: "A proxy before the server may not support paged results (RFC 2696): read from the server itself.",
		}
	}
	return done, err
}

// stream sends a query and passes on what comes: entries, and controls of entries, of messages between them, and of the end.
func (r *reader) stream(ctx context.Context, q query, take func(*client.Entry, []client.Control) error) error {
	searching, cancel := context.WithCancel(ctx)
	defer cancel()
	answer := r.conn.SearchAsync(searching, &client.SearchRequest{
		BaseDN: q.base, Scope: q.scope, Filter: q.filter, Attributes: q.wanted, Controls: q.controls,
	}, asyncBuffer)
	for answer.Next() {
		if reference := answer.Referral(); reference != "" {
			r.note(reference)
			continue
		}
		if err := take(answer.Entry(), answer.Controls()); err != nil {
			r.conn.close() // the rest of the answer is still coming
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := answer.Err(); err != nil {
		return diagnose(err, q.base)
	}
	if r.conn.IsClosing() { // an answer that was cut looks like one that is at its end (T11)
		return connectionError(errors.New("closed"))
	}
	return nil
}

// note keeps a reference to another server, which is not followed. Those of Active Directory to partitions that hold no people come with every
// search of a domain, and tell nobody anything.
func (r *reader) note(reference string) {
	if r.root.product == activeDirectoryServer && isAdministrative(reference) || slices.Contains(r.referred, reference) {
		return
	}
	r.references++
	if len(r.referred) < mostReferences {
		r.referred = append(r.referred, reference)
	}
}

// administrative are the names that partitions of a forest without people begin with.
var administrative = []string{"cn=configuration,", "cn=schema,", "dc=domaindnszones,", "dc=forestdnszones,"}

// isAdministrative reports whether a reference of Active Directory leads to a partition that holds no people.
func isAdministrative(reference string) bool {
	u, err := url.Parse(reference)
	if err != nil {
		return false
	}
	dn := strings.ToLower(strings.TrimPrefix(u.Path, "/"))
	return slices.ContainsFunc(administrative, func(prefix string) bool { return strings.HasPrefix(dn, prefix) })
}

// get reads one entry; nil where there is none, or the reader may not see it.
func (r *reader) get(ctx context.Context, dn, filter string, wanted []string, controls ...client.Control) (*client.Entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	found, err := r.conn.Search(&client.SearchRequest{BaseDN: dn, Scope: client.ScopeBaseObject, Filter: filter, Attributes: wanted, Controls: controls})
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case client.IsErrorWithCode(err, client.LDAPResultNoSuchObject), err == nil && len(found.Entries) == 0:
		return nil, nil
	case err != nil:
		return nil, diagnose(err, dn)
	}
	return found.Entries[0], nil
}

var rangeOption = regexp.MustCompile(`(?i)^([^;]+);range=([0-9]+)-([0-9]+|\*)$`)

// hasRange reports whether a server gave only the first values of an attribute.
func hasRange(e *client.Entry) bool {
	for _, a := range e.Attributes {
		if found := rangeOption.FindStringSubmatch(a.Name); found != nil && found[3] != "*" {
			return true
		}
	}
	return false
}

// takeRanged completes entries with attributes of which the server gave only the first values.
func (r *reader) takeRanged(ctx context.Context, entries []*client.Entry, take func(*client.Entry) error) error {
	for _, e := range entries {
		if err := r.complete(ctx, e); err != nil {
			return err
		}
		if err := take(e); err != nil {
			return err
		}
	}
	return nil
}

// complete reads the rest of such attributes of an entry.
func (r *reader) complete(ctx context.Context, e *client.Entry) error {
	for _, a := range e.Attributes {
		found := rangeOption.FindStringSubmatch(a.Name)
		for found != nil && found[3] != "*" {
			next := fmt.Sprintf("%s;range=%d-*", found[1], number(found[3])+1)
			more, err := r.get(ctx, e.DN, "(objectClass=*)", []string{next})
			if err != nil {
				return err
			}
			found = nil
			if more == nil {
				break
			}
			for _, b := range more.Attributes {
				if f := rangeOption.FindStringSubmatch(b.Name); f != nil && strings.EqualFold(f[1], plainName(a.Name)) && len(b.ByteValues) > 0 {
					a.Values, a.ByteValues = append(a.Values, b.Values...), append(a.ByteValues, b.ByteValues...)
					found = f
				}
			}
		}
	}
	return nil
}

func plainName(attribute string) string {
	name, _, _ := strings.Cut(attribute, ";")
	return name
}

// number reads the digits of a range.
func number(digits string) int {
	n := 0
	for _, c := range digits {
		n = min(n*10+int(c-'0'), 1<<30)
	}
	return n
}
