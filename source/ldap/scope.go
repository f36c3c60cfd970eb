package ldap

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"regexp"
	"slices"
	"strings"

	client "github.com/go-ldap/ldap/v3"

	"github.com/contactbridge/contactbridge/bridge"
)

// A part is a place where contacts are, and which entries there are contacts.
type part struct {
	base    string
	filter  string
	members *members // nil: all that the filter finds
}

// members are those of groups, where the server cannot tell.
type members struct {
	dns  map[string]bool // as [sameDN] writes them
	uids map[string]bool // in lower case
}

func (m *members) has(e *client.Entry) bool {
	if m == nil || m.dns[sameDN(e.DN)] {
		return true
	}
	return len(m.uids) > 0 && slices.ContainsFunc(e.GetEqualFoldAttributeValues("uid"), func(uid string) bool { return m.uids[strings.ToLower(uid)] })
}

// sameDN writes a DN in a form that is the same for all spellings of it that servers use.
func sameDN(text string) string {
	dn, err := client.ParseDN(text)
	if err != nil {
		return strings.ToLower(text)
	}
	return strings.ToLower(dn.String())
}

// parentOf returns the DN of the entry that an entry is directly below. A comma in a name is escaped.
func parentOf(dn string) string {
	for i := 0; i < len(dn); i++ {
		switch dn[i] {
		case '\\':
			i++
		case ',':
			return dn[i+1:]
		}
	}
	return ""
}

// isBelow reports whether an entry is at or below another one.
func isBelow(dn, above string) bool {
	dn, above = sameDN(dn), sameDN(above)
	return dn == above || strings.HasSuffix(dn, ","+above)
}

const (
	anyEntry   = "(objectClass=*)"
	groupEntry = "(|(objectClass=group)(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=groupOfMembers)(objectClass=posixGroup))"
	containers = "(|(objectClass=organizationalUnit)(objectClass=organization)(objectClass=domain)(objectClass=dcObject)(objectClass=container)(objectClass=nsContainer)(objectClass=locality)(objectClass=country))"
)

// contacts is the filter of entries that are contacts.
func (r *reader) contacts() string {
	filter := r.cfg.Filter
	if filter == "" {
		filter = "(objectClass=person)"
		if r.root.product == activeDirectoryServer {
			filter = "(objectCategory=person)"
		}
	}
	if r.cfg.IncludeDisabled {
		return filter
	}
	switch {
	case r.root.product == activeDirectoryServer:
		return "(&" + filter + "(!(userAccountControl:1.2.840.113556.1.4.803:=2)))"
	case r.schema.has("nsAccountLock"):
		return "(&" + filter + "(!(nsAccountLock=TRUE)))"
	case r.schema.has("pwdAccountLockedTime"):
		return "(&" + filter + "(!(pwdAccountLockedTime=000001010000Z)))"
	}
	return filter
}

// wide is the filter of entries that may have been contacts before they left the bases or the filter.
func (r *reader) wide() string {
	if r.cfg.Filter == "" {
		return "(objectClass=person)"
	}
	return anyEntry
}

// findParts finds the places to read.
func (r *reader) findParts(ctx context.Context) error {
	bases := r.cfg.bases()
	if len(bases) == 0 {
		bases = r.root.contexts()
	}
	if len(bases) != 1 && len(r.cfg.bases()) == 0 {
		hint := "Set base to where the contacts are, such as ou=people,dc=example,dc=com."
		if len(bases) > 1 {
			hint = "Set base to one of them, or bases to several: " + strings.Join(bases, " · ")
		}
		return &bridge.Error{Code: bridge.CodeSourceBroken, Message: fmt.Sprintf("the server has %d naming contexts, and base is not set", len(bases)), Hint: hint}
	}
	r.parts = nil
	if len(r.cfg.MemberOf) == 0 {
		for _, base := range bases {
			r.parts = append(r.parts, part{base: base, filter: r.contacts()})
		}
		return nil
	}
	return r.findMembers(ctx, bases)
}

// findMembers makes the parts of member_of.
func (r *reader) findMembers(ctx context.Context, bases []string) error {
	var groups []*client.Entry
	for _, dn := range r.cfg.MemberOf {
		e, err := r.get(ctx, dn, anyEntry, []string{"objectClass", "objectSid"})
		if err != nil {
			return err
		}
		if e == nil {
			return diagnose(client.NewError(client.LDAPResultNoSuchObject, nil), dn)
		}
		if !isGroup(e) {
			r.parts = append(r.parts, part{base: e.DN, filter: r.contacts()})
			continue
		}
		groups = append(groups, e)
	}
	if len(groups) == 0 {
		return nil
	}
	p := part{filter: r.contacts()}
	if r.root.product == activeDirectoryServer {
		p.filter = "(&" + p.filter + inGroups(groups) + ")"
		r.groups = groups
	} else {
		var err error
		if p.members, err = r.follow(ctx, groups); err != nil {
			return err
		}
	}
	for _, p.base = range bases {
		r.parts = append(r.parts, p)
	}
	return nil
}

func isGroup(e *client.Entry) bool {
	return slices.ContainsFunc(e.GetEqualFoldAttributeValues("objectClass"), func(class string) bool {
		switch strings.ToLower(class) {
		case "group", "groupofnames", "groupofuniquenames", "groupofmembers", "posixgroup":
			return true
		}
		return false
	})
}

// inGroups is the filter of Active Directory for members of groups, also through other groups. The members of an account's primary
// group are not listed anywhere else.
func inGroups(groups []*client.Entry) string {
	filter := "(|"
	for _, g := range groups {
		filter += "(memberOf:" + inChain + ":=" + client.EscapeFilter(g.DN) + ")"
		if sid, ok := sidText(g.GetEqualFoldRawAttributeValue("objectSid")); ok {
			filter += "(primaryGroupID=" + sid[strings.LastIndexByte(sid, '-')+1:] + ")"
		}
	}
	return filter + ")"
}

// follow finds the members of groups, and of groups that are members of them.
func (r *reader) follow(ctx context.Context, groups []*client.Entry) (*members, error) {
	all := map[string]*client.Entry{}
	wanted := []string{"member", "uniqueMember", "memberUid"}
	for _, dn := range r.root.contexts() {
		err := r.search(ctx, query{base: dn, scope: client.ScopeWholeSubtree, filter: groupEntry, wanted: wanted}, func(e *client.Entry) error {
			all[sameDN(e.DN)] = e
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	m := &members{dns: map[string]bool{}, uids: map[string]bool{}}
	var left []string
	for _, g := range groups {
		left = append(left, sameDN(g.DN))
	}
	followed := map[string]bool{}
	for len(left) > 0 {
		dn := left[0]
		left = left[1:]
		g := all[dn]
		if followed[dn] || g == nil {
			continue
		}
		followed[dn] = true
		for _, uid := range g.GetEqualFoldAttributeValues("memberUid") {
			m.uids[strings.ToLower(uid)] = true
		}
		for _, member := range append(valuesOf(g, "member"), valuesOf(g, "uniqueMember")...) {
			member = sameDN(member)
			m.dns[member] = true
			if all[member] != nil {
				left = append(left, member)
			}
		}
	}
	return m, nil
}

// valuesOf returns the values of an attribute, whether the server gave them at once or in ranges.
func valuesOf(e *client.Entry, name string) []string {
	var list []string
	for _, a := range e.Attributes {
		if strings.EqualFold(plainName(a.Name), name) {
			list = append(list, a.Values...)
		}
	}
	return list
}

// visible checks that the places to read are there: a server that may not show them gives success and no entry.
func (r *reader) visible(ctx context.Context) error {
	for _, p := range r.parts {
		e, err := r.get(ctx, p.base, anyEntry, []string{"1.1"})
		if err != nil {
			return err
		}
		if e == nil {
			return &bridge.Error{
				Code: bridge.CodeSourceBroken, Message: "there is no right to read " + p.base + ", or it does not exist",
				Hint: "Check base, bases and member_of, and give the user of bind_dn the right to read and search there.",
			}
		}
	}
	return nil
}

// A sum is a digest of a set, in whatever order it is read.
type sum uint64

func (s *sum) add(texts ...string) {
	h := sha256.New()
	for _, text := range texts {
		h.Write(appendText(nil, text))
	}
	*s += sum(binary.BigEndian.Uint64(h.Sum(nil)))
}

func (s sum) String() string { return fmt.Sprintf("%016x", uint64(s)) }

// shape returns a digest of what decides which entries belong to the contacts, though the entries do not change with it:
// the containers below bases, unless a base is a whole naming context that no entry can leave and no DN matters, and the groups of
// member_of. Where it is another one than that of a checkpoint, everything is read.
func (r *reader) shape(ctx context.Context) (string, error) {
	var s sum
	for _, p := range r.parts {
		s.add(sameDN(p.base))
		if m := p.members; m != nil {
			for dn := range m.dns {
				s.add("member", dn)
			}
			for uid := range m.uids {
				s.add("uid", uid)
			}
		}
		if r.isContext(p.base) && !r.looksAtDN(p) {
			continue
		}
		err := r.search(ctx, query{base: p.base, scope: client.ScopeWholeSubtree, filter: containers, wanted: []string{r.mapping.idNative}}, func(e *client.Entry) error {
			s.add("container", sameDN(e.DN), r.mapping.native(e))
			return nil
		})
		if err != nil {
			return "", err
		}
	}
	if err := r.addGroups(ctx, &s); err != nil {
		return "", err
	}
	return s.String(), nil
}

// addGroups adds the groups of Active Directory that decide who is a member, each with its last change.
func (r *reader) addGroups(ctx context.Context, s *sum) error {
	if len(r.groups) == 0 {
		return nil
	}
	filter := "(&(objectClass=group)(|" + inGroups(r.groups)
	for _, g := range r.groups {
		filter += "(distinguishedName=" + client.EscapeFilter(g.DN) + ")"
	}
	q := query{base: r.root.contexts()[0], scope: client.ScopeWholeSubtree, filter: filter + "))", wanted: []string{"objectGUID", "uSNChanged"}}
	return r.search(ctx, q, func(e *client.Entry) error {
		s.add("group", r.mapping.native(e), e.GetEqualFoldAttributeValue("uSNChanged"))
		return nil
	})
}

func (r *reader) isContext(dn string) bool {
	return slices.ContainsFunc(r.root.contexts(), func(context string) bool { return sameDN(context) == sameDN(dn) })
}

// contextsOf returns the naming contexts that the parts are in.
func (r *reader) contextsOf() []string {
	var list []string
	for _, context := range r.root.contexts() {
		if slices.ContainsFunc(r.parts, func(p part) bool { return isBelow(p.base, context) }) {
			list = append(list, context)
		}
	}
	return list
}

// onDN finds in a filter what looks at the names of an entry: every part of its DN (RFC 4515: ":dn"), or an attribute that is its DN.
var onDN = regexp.MustCompile(`(?i):dn:|\(\s*(entryDN|distinguishedName|msDS-parentdistname)\b`)

// looksAtDN reports whether the names of the containers that an entry is in decide if it is a contact of a part, or what it holds: an
// entry is not changed when one of them is renamed or moved.
func (r *reader) looksAtDN(p part) bool {
	return p.members != nil && len(p.members.dns) > 0 || onDN.MatchString(p.filter) || r.mapping.usesDN()
}

// dnAttributes are the attributes that servers compute from an entry's DN, in lower case.
var dnAttributes = []string{dnColumn, "entrydn", "distinguishedname", "msds-parentdistname", "canonicalname"}

func (m *mapping) usesDN() bool {
	return slices.ContainsFunc(m.used, func(u usedColumn) bool { return slices.Contains(dnAttributes, u.group) })
}
