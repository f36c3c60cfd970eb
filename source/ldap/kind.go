package ldap

import "github.com/contactbridge/contactbridge/source"

// Kind describes the kind.
func Kind() source.Kind {
	return source.KindOf(source.Kind{
		Name:    "ldap",
		Family:  source.FamilyAccounts,
		Title:   "LDAP or Active Directory",
		Icon:    source.IconPeople,
		Fresh:   "Each run reads what the server says has changed; how the server tells of changes is found out.",
		Summary: "People of an LDAP directory: OpenLDAP, Active Directory, 389 Directory Server.",
		Docs: `Reads LDAP version 3 in pages (RFC 2696) over ldap, StartTLS, ldaps or a Unix socket. No ` + "`fields`, `id` or `updated`" + ` has to be set:
the defaults fit inetOrgPerson and Active Directory. Names in fields are those of attributes, in the case of the server's schema; an
attribute with several values is a list, and ` + "`dn`" + ` is the entry's DN. Disabled accounts are left out.

**Exact** with OpenLDAP (overlay syncprov), Active Directory, and 389 Directory Server with the Retro Changelog: deletions arrive by
themselves. **Overlap** with any other server: what becomes visible later than ` + "`overlap`" + ` after its modifyTimestamp is missed, and deletions
are found by full runs. [Which is which](exactness.md#directories).`,
		Asked: "The usual spellings of the number are looked for first, which an index for equality on the attributes finds at once, and then the entries " +
			"in which its digits stand, whatever is between them: that looks at every entry, for as long as there is time.",
		Example: `kind: ldap
url: ldap://127.0.0.1:389
bind_dn: cn=reader,dc=example,dc=com
password: ${READER_PASSWORD}
base: dc=example,dc=com
`,
		Setup:         setup(),
		CallerExample: `bind_dn: "{{auth.username}}"`,
		Untrusted:     source.Untrusted(untrusted),
	}, New)
}
