package hubconfig_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/contactbridge/contactbridge/internal/hubconfig"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/phonebook"
)

func TestAPhonebookOfTheFile(t *testing.T) {
	cfg, err := hubconfig.Parse("hub.yaml", []byte(`
accounts:
  acme: {region: GB}
phonebooks:
  desk:
    account: acme
    integrations: [crm]
    where: "company != ''"
    numbers: {format: national, region: gb, outside_prefix: "9"}
    http: {user: phones, password: "${PBX_TOKEN}", allow: [10.1.2.3/16]}
    ldap: {listen: "127.0.0.1:1389", base: "dc=acme", bind_dn: "cn=phones,dc=acme", password: "${PBX_TOKEN}", tls: {cert: c.pem, key: k.pem}, starttls: true}
`), environment())
	if err != nil {
		t.Fatal(err)
	}
	want := []phonebook.Config{{
		Name: "desk", Account: "acme", Integrations: []string{"crm"}, Where: "company != ''", Numbers: phonebook.Numbers{Format: phonebook.National, Region: "GB", OutsidePrefix: "9"},
		HTTP: &phonebook.HTTP{User: "phones", Password: "0123456789abcdef0123", Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}, First: phonebook.FirstByName},
		LDAP: &phonebook.LDAP{
			Listen: "127.0.0.1:1389", Base: "dc=acme", BindDN: "cn=phones,dc=acme", Password: "0123456789abcdef0123", Cert: "/etc/contactbridge/c.pem", Key: "/etc/contactbridge/k.pem", StartTLS: true,
			SizeLimit: 500, SizeLimitCode: 4,
		},
	}}
	if got := cfg.DeclaredPhonebooks(); !cmp.Equal(got, want, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestEveryProblemOfAPhonebookIsTold(t *testing.T) {
	for text, want := range map[string]string{
		"phonebooks: {p: {where: company}}":                                                                           "account is missing",
		"phonebooks: {p: {account: a}}":                                                                               "is not in this file",
		"{accounts: {a: {}}, phonebooks: {p q: {account: a}}}":                                                        "cannot be a name",
		"{accounts: {a: {}}, phonebooks: {p: {account: a, where: compny}}}":                                           "compny",
		"{accounts: {a: {}}, phonebooks: {p: {account: a, numbers: {format: short}}}}":                                "short",
		"{accounts: {a: {}}, phonebooks: {p: {account: a, numbers: {format: national}}}}":                             "needs a region",
		"{accounts: {a: {region: GB}}, phonebooks: {p: {account: a, numbers: {format: local}}}}":                      "own area code",
		"{accounts: {a: {}}, phonebooks: {p: {account: a, numbers: {outside_prefix: '9'}}}}":                          "has no outside prefix",
		"{accounts: {a: {}}, phonebooks: {p: {account: a, numbers: {region: XX}}}}":                                   "unknown region",
		"{accounts: {a: {}}, phonebooks: {p: {account: a, http: {user: u}}}}":                                         "belong together",
		"{accounts: {a: {}}, phonebooks: {p: {account: a, http: {user: u, password: short}}}}":                        "fewer than 8",
		"{accounts: {a: {}}, phonebooks: {p: {account: a, http: {secret_path: short}}}}":                              "16 letters",
		"{accounts: {a: {}}, phonebooks: {p: {account: a, http: {user: 'a:b', password: 12345678}}}}":                 "no colon",
		"{accounts: {a: {}}, phonebooks: {p: {account: a, http: {secret_path: 0123456789abcdef, digest: true}}}}":     "needs a user",
		"{accounts: {a: {}}, phonebooks: {p: {account: a, http: {user: u, password: 12345678, allow: [x]}}}}":         "is not a network",
		"{accounts: {a: {}}, phonebooks: {p: {account: a, http: {user: u, password: 12345678, prefer: 'id =='}}}}":    "ends too early",
		"{accounts: {a: {}}, phonebooks: {p: {account: a, http: {user: u, password: 12345678, first: last}}}}":        "last",
		"{accounts: {a: {}}, phonebooks: {p: {account: a, ldap: {}}}}":                                                "base is missing",
		"{accounts: {a: {}}, phonebooks: {p: {account: a, ldap: {base: acme, anonymous: true}}}}":                     "is not a DN",
		"{accounts: {a: {}}, phonebooks: {p: {account: a, ldap: {base: dc=a, bind_dn: cn=x}}}}":                       "belong together",
		"{accounts: {a: {}}, phonebooks: {p: {account: a, ldap: {base: dc=a, bind_dn: cn=x, password: short}}}}":      "fewer than 8",
		"{accounts: {a: {}}, phonebooks: {p: {account: a, ldap: {base: dc=a, anonymous: true, listen: nowhere}}}}":    "cannot be an address",
		"{accounts: {a: {}}, phonebooks: {p: {account: a, ldap: {base: dc=a, anonymous: true, starttls: true}}}}":     "needs a certificate",
		"{accounts: {a: {}}, phonebooks: {p: {account: a, ldap: {base: dc=a, anonymous: true, size_limit_code: 3}}}}": "cannot be 3",
		"{ldap: {}}":                "listen is missing",
		"{ldap: {listen: nowhere}}": "cannot be an address",
		"{ldap: {listen: '127.0.0.1:1389', starttls: true}}": "needs a certificate",
		"{accounts: {a: {}}, ldap: {listen: '127.0.0.1:1389', tls: {cert: x, key: y}}, phonebooks: {p: {account: a, ldap: {base: dc=a, anonymous: true}}}}":                                    "ldap has the same address with another tls",
		"{accounts: {a: {}}, phonebooks: {p: {account: a, ldap: &l {base: dc=a, bind_dn: cn=x, password: 12345678}}, q: {account: a, ldap: {base: dc=b, bind_dn: CN=X, password: 12345678}}}}": "has the same bind_dn",
		"{accounts: {a: {}}, phonebooks: {p: {account: a, ldap: {base: dc=a, anonymous: true}}, q: {account: a, ldap: {base: dc=b, anonymous: true, tls: {cert: x, key: y}}}}}":                "with another tls",
		"{accounts: {a: {}}, phonebooks: {p: {account: a, carddav: {user: u}}}}":                                                                                                               "belong together",
		"{accounts: {a: {}}, phonebooks: {p: {account: a, carddav: {user: u, password: short}}}}":                                                                                              "fewer than 8",
		"{accounts: {a: {}}, phonebooks: {p: {account: a, carddav: {user: 'u:', password: 12345678}}}}":                                                                                        "no colon",
		"{accounts: {a: {}}, phonebooks: {p: {account: a, carddav: {user: u, password: 12345678}}, q: {account: a, carddav: {user: u, password: 12345678}}}}":                                  "has the same user and password",
	} {
		_, err := hubconfig.Parse("hub.yaml", []byte(text), environment())
		problems, ok := errors.AsType[*strictyaml.Problems](err)
		if !ok || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "hub.yaml:1:") {
			t.Errorf("%s: %v, want %q", text, err, want)
			continue
		}
		if problems.List[0].Hint == "" {
			t.Errorf("%s: no word on what to do: %v", text, err)
		}
	}
}

// TestAPhonebookOfTheFileNeedsNoSecret: devices sign in with credentials that are made in the console.
func TestAPhonebookOfTheFileNeedsNoSecret(t *testing.T) {
	cfg, err := hubconfig.Parse("hub.yaml", []byte(`
accounts: {acme: {region: GB}}
ldap: {listen: "127.0.0.1:1389", tls: {cert: c.pem, key: k.pem}}
phonebooks:
  desk: {account: acme, http: {}, carddav: {}, ldap: {base: dc=acme, tls: {cert: c.pem, key: k.pem}}}
`), environment())
	if err != nil {
		t.Fatal(err)
	}
	if l := cfg.SharedLDAP(); l.Listen != "127.0.0.1:1389" || l.Cert != "/etc/contactbridge/c.pem" || l.SizeLimit != 500 {
		t.Errorf("%+v", l)
	}
	if all := cfg.DeclaredPhonebooks(); len(all) != 1 || all[0].HTTP == nil || all[0].CardDAV == nil || all[0].LDAP == nil {
		t.Errorf("%+v", all)
	}
}
