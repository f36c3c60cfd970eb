package config_test

import (
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/source"
)

// digestOf returns the digest that the checkpoints of an endpoint belong to, for one caller's credentials.
func digestOf(t *testing.T, text string, auth bridge.Auth) string {
	t.Helper()
	cfg, err := config.Parse("bridge.yaml", []byte(text), strictyaml.Environment{Folder: "/etc/contactbridge"})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, e := range cfg.Endpoints { // there is one
		factory, err := e.New(source.Deps{})
		if err != nil {
			t.Fatal(err)
		}
		defer factory.Close()
		src, err := factory.Open(t.Context(), auth)
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		said, err := src.(bridge.Describer).Describe(t.Context())
		if err != nil || said.Digest == "" || !said.Exact {
			t.Fatalf("got %+v, %v", said, err)
		}
		return e.Digest() + " " + said.Digest
	}
	return ""
}

// endpoint returns a configuration with one endpoint: the keys of its source, and others.
func endpoint(sourceKeys string, others ...string) string {
	return "endpoints:\n  crm:\n    auth: {username: agent, password: one}\n    source:\n      " +
		strings.ReplaceAll(sourceKeys, "\n", "\n      ") + "\n    " + strings.Join(others, "\n    ") + "\n"
}

const (
	postgresKeys = `kind: postgres
dsn: postgres://reader:secret@db.example.com/crm
table: customers
id: id
updated: updated_at
deleted: gone
fields: {name: full_name, phones: [phone, mobile], custom_fields: {Plan: plan, Since: since}}`
	sqliteKeys = "kind: sqlite\npath: crm.db\ntable: customers\nid: id\nupdated: updated_at\ndeleted: gone\nfields: {name: full_name}"
	csvKeys    = "kind: csv\npath: customers.csv\nid: id\nupdated: updated_at\ndeleted: gone\nfields: {name: Name}"
	memoryKeys = "kind: memory\ncontacts: [{id: 1, name: Jane}]"
)

// A change is a replacement in a configuration.
type change struct{ old, new string }

func (c change) apply(t *testing.T, text string) string {
	t.Helper()
	if !strings.Contains(text, c.old) {
		t.Fatalf("%q is not in %s", c.old, text)
	}
	return strings.Replace(text, c.old, c.new, 1)
}

// D10: the digest is canonical. What does not change which contacts are read, or how they look, does not change it.
func TestD10SameDigestForTheSameContacts(t *testing.T) {
	for keys, changes := range map[string][]change{
		postgresKeys: {
			{"id: id\nupdated: updated_at\ndeleted: gone", "deleted: gone\nupdated: updated_at\nid: id"},
			{"id: id", "id: id\nupdated_as: auto"},
			{"id: id", "id: id\noverlap: 7m\nclock_skew: 3s"},
			{"id: id", "id: id\noverlap: 5m\nclock_skew: 1s"},
			{"table: customers", `table: '"customers"'`},
			{"reader:secret", "reader:another"},
			{"reader:secret", "reader"},
			{"db.example.com", "DB.example.com:5432"},
			{"/crm", "/crm?sslmode=require"},
			{"/crm", "/crm?application_name=x&statement_timeout=5s&pool_max_conns=3&connect_timeout=9"},
			{"/crm", "/crm?datestyle=ISO"},
			{"postgres://reader:secret@db.example.com/crm", "host=db.example.com user=reader password='x y' dbname=crm"},
			{"postgres://", "postgresql://"},
			{"{Plan: plan, Since: since}", "{Since: since, Plan: plan}"},
			{"fields: {name: full_name, phones: [phone, mobile],", "fields: {phones: [phone, mobile], title: '', name: full_name,"},
			{"name: full_name", `name: "full_name"`},
		},
		strings.Replace(postgresKeys, "table: customers", "query: SELECT * FROM customers", 1): {
			{"FROM customers", "FROM customers;"},
			{"query: SELECT * FROM customers", "query: |\n  SELECT * FROM customers\n"},
		},
		sqliteKeys: {
			{"path: crm.db", "dsn: crm.db"},
			{"path: crm.db", "path: /etc/contactbridge/crm.db"},
			{"path: crm.db", "path: ./x/../crm.db"},
			{"path: crm.db", "path: file:crm.db?mode=ro&cache=private&_pragma=busy_timeout(9)"},
			{"id: id", "id: id\noverlap: 7m\nclock_skew: 3s\nprobe_lock: true\nupdated_as: auto"},
		},
		csvKeys: {
			{"path: customers.csv", "path: /etc/contactbridge/customers.csv"},
			{"id: id", "id: id\noverlap: 1h"},
		},
		strings.Replace(csvKeys, "id: id", "id: id\ndelimiter: tab", 1): {{"delimiter: tab", `delimiter: "\t"`}},
		memoryKeys: {{"name: Jane", "name: Joan"}},
	} {
		want := digestOf(t, endpoint(keys), nil)
		for _, c := range changes {
			if digestOf(t, endpoint(c.apply(t, keys)), nil) != want {
				t.Errorf("%q instead of %q gives another digest", c.new, c.old)
			}
		}
		for _, others := range []string{
			"page: {contacts: 5, bytes: 2KiB, time: 1s}", "on_delete: blank", "unknown_checkpoint: refuse", "phones: {}",
			"phones: {format: as-is}", "unknown_checkpoint: restart",
		} {
			if digestOf(t, endpoint(keys, others), nil) != want {
				t.Errorf("%s gives another digest", others)
			}
		}
		for _, c := range []change{
			{"{username: agent, password: one}", "{username: agent, password: two, more: x}"}, {"endpoints:", "listen: 127.0.0.1:9\nlog: {level: debug}\nendpoints:"},
		} {
			if digestOf(t, c.apply(t, endpoint(keys)), nil) != want {
				t.Errorf("%q instead of %q gives another digest", c.new, c.old)
			}
		}
	}
	if digestOf(t, endpoint(csvKeys, "phones: {region: us}"), nil) != digestOf(t, endpoint(csvKeys, "phones: {format: e164, region: US}"), nil) {
		t.Error("the default format, written out, gives another digest")
	}
}

// D10: every key that decides which contacts are read, how they look, or to whom they belong, changes the digest.
func TestD10AnotherDigestForOtherContacts(t *testing.T) {
	for keys, changes := range map[string][]change{
		postgresKeys: {
			{"table: customers", "table: people"},
			{"table: customers", "table: sales.customers"},
			{"table: customers", "query: SELECT * FROM customers"},
			{"id: id", "id: number"},
			{"updated: updated_at", "updated: changed_at"},
			{"updated: updated_at\n", ""},
			{"updated: updated_at", "updated: updated_at\nupdated_as: timestamp"},
			{"id: id", "id: id\ntime_zone: Europe/Berlin"},
			{"deleted: gone", "deleted: lost"},
			{"deleted: gone\n", ""},
			{"name: full_name", "name: first_name"},
			{"[phone, mobile]", "[mobile, phone]"},
			{"[phone, mobile]", "phone"},
			{"Plan: plan", "Plan: tariff"},
			{"Plan: plan", "Tariff: plan"},
			{"name: full_name", "name: full_name, title: job"},
			{"db.example.com", "other.example.com"},
			{"db.example.com", "db.example.com:5433"},
			{"/crm", "/crm2"},
			{"reader:secret", "writer:secret"},
			{"/crm", "/crm?search_path=tenant1"},
			{"/crm", "/crm?options=-csearch_path%3Dtenant1"},
			{"/crm", "/crm?app.tenant=7"},
			{"/crm", "/crm?timezone=UTC"},
			{"/crm", "/crm?role=tenant1"},
		},
		strings.Replace(postgresKeys, "table: customers", "query: SELECT * FROM customers", 1): {{"FROM customers", "FROM customers WHERE active"}},
		sqliteKeys: {
			{"crm.db", "other.db"},
			{"crm.db", "/srv/crm.db"},
			{"table: customers", "table: people"},
			{"id: id", "id: number"},
			{"updated: updated_at", "updated: changed_at"},
			{"deleted: gone", "deleted: lost"},
			{"full_name", "first_name"},
		},
		csvKeys: {
			{"customers.csv", "people.csv"},
			{"id: id", "id: number"},
			{"updated: updated_at", "updated: changed_at"},
			{"deleted: gone", "deleted: lost"},
			{"name: Name", "name: Full name"},
			{"id: id", "id: id\ndelimiter: ;"},
			{"id: id", "id: id\nencoding: windows-1252"},
			{"id: id", "id: id\nupdated_layout: unix"},
		},
		memoryKeys: nil,
	} {
		text := endpoint(keys)
		seen := map[string]string{digestOf(t, text, nil): "the configuration itself"}
		note := func(what, text string) {
			digest := digestOf(t, text, nil)
			if other, ok := seen[digest]; ok {
				t.Errorf("%s gives the digest of %s", what, other)
			}
			seen[digest] = what
		}
		for _, c := range changes {
			note(c.old+" → "+c.new, endpoint(c.apply(t, keys)))
		}
		for _, phones := range []string{"phones: {region: US}", "phones: {region: PT}", "phones: {region: US, format: as-is}", "phones: {format: e164}"} {
			note(phones, endpoint(keys, phones))
		}
	}
	kinds := map[string]string{}
	for _, keys := range []string{sqliteKeys, csvKeys, memoryKeys} {
		kinds[digestOf(t, endpoint(keys), nil)] = keys
	}
	if len(kinds) != 3 {
		t.Error("two kinds have one digest")
	}
	// Contacts of a configuration have no other place than their endpoint.
	if digestOf(t, endpoint(memoryKeys), nil) == digestOf(t, strings.Replace(endpoint(memoryKeys), "crm:", "desk:", 1), nil) {
		t.Error("the contacts of two endpoints have one digest")
	}
	if digestOf(t, endpoint(csvKeys), nil) != digestOf(t, strings.Replace(endpoint(csvKeys), "crm:", "desk:", 1), nil) {
		t.Error("another name of the endpoint gives another digest of a file")
	}
}

// D10: the caller's credentials count where they select the tenant, and nowhere else.
func TestD10TenantsHaveDigestsOfTheirOwn(t *testing.T) {
	const tenant = "auth: source\n    source:\n      "
	withAuth := func(keys string) string {
		return strings.Replace(endpoint(keys), "auth: {username: agent, password: one}\n    source:\n      ", tenant, 1)
	}
	for name, c := range map[string]struct {
		keys      string
		same, not []bridge.Auth
	}{
		"postgres": {
			strings.Replace(postgresKeys, "reader:secret@db.example.com/crm", "{{auth.username}}:{{auth.password}}@db.example.com/{{auth.database}}", 1),
			[]bridge.Auth{{"username": "a", "password": "2", "database": "one"}, {"username": "a", "password": "1", "database": "one", "more": "x"}},
			[]bridge.Auth{{"username": "a", "password": "1", "database": "two"}, {"username": "b", "password": "1", "database": "one"}},
		},
		"sqlite": {
			strings.Replace(sqliteKeys, "crm.db", "'{{auth.database}}.db'", 1),
			[]bridge.Auth{{"database": "one", "password": "2"}},
			[]bridge.Auth{{"database": "two"}},
		},
		"csv": {
			strings.Replace(csvKeys, "customers.csv", "'{{auth.database}}/customers.csv'", 1),
			[]bridge.Auth{{"database": "one", "password": "2"}},
			[]bridge.Auth{{"database": "two"}},
		},
	} {
		text := withAuth(c.keys)
		want := digestOf(t, text, bridge.Auth{"username": "a", "password": "1", "database": "one"})
		for _, auth := range c.same {
			if digestOf(t, text, auth) != want {
				t.Errorf("%s: %v gives another digest", name, auth)
			}
		}
		for _, auth := range c.not {
			if digestOf(t, text, auth) == want {
				t.Errorf("%s: the tenant of %v has the digest of another one", name, auth)
			}
		}
	}
}

// D10: the build is not part of the digest: replicas of two versions agree. A digest that changes here makes every
// synchronizer read everything again, so it changes together with a mapping revision, or not at all.
func TestD10DigestsStayWhatTheyAre(t *testing.T) {
	const phones = "8448767d16f949d945f3db08c14a119d08293415527bd5d1065d391d5668b539 "
	for keys, want := range map[string]string{
		postgresKeys: phones + "497e8b19b1497c83dae3d3ebf5244e8c035c43dcecd416682df5324949a84c5f",
		sqliteKeys:   phones + "0bbd8e6a483dbe8d0116e4afa01bcafc8843ce359bb6f7cd883cbc684e1d2e59",
		csvKeys:      phones + "60da37b66bd0319d2cc1b197914c202905fc1e16cd6830ca5f87c4526c015f06",
		memoryKeys:   phones + "5fd418e74c253c9b9d82ffd94c60045d49ec2b99ce487261a5202695b6544eea",
	} {
		if got := digestOf(t, endpoint(keys, "phones: {region: US}"), nil); got != want {
			t.Errorf("the digest is %q, and was %q, for %s", got, want, keys)
		}
	}
}
