package postgres

import (
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/sqltable"
)

func factoryOf(t *testing.T, dsn string) *factory {
	t.Helper()
	var template source.Template
	if err := template.UnmarshalText([]byte(dsn)); err != nil {
		t.Fatal(err)
	}
	made, err := New(Config{DSN: template, Config: sqltable.Config{Table: "customers", ID: "id"}}, source.Deps{})
	if err != nil {
		t.Fatalf("%s: %v", dsn, err)
	}
	t.Cleanup(func() { _ = made.Close() })
	return made.(*factory)
}

// The configured password goes to the configured server only: a credential in the host is a part of its name, never a Unix
// socket, a list of hosts, or another port.
func TestACredentialInTheHostIsAName(t *testing.T) {
	for _, dsn := range []string{
		"postgres://svc:s3cret@{{auth.tenant}}.db.example.com/crm",
		"postgres:///crm?user=svc&password=s3cret&host={{auth.tenant}}.db.example.com",
		"host={{auth.tenant}}.db.example.com user=svc password=s3cret dbname=crm",
		"host='db1.example.com,{{auth.tenant}}.db.example.com' user=svc password=s3cret dbname=crm",
		"postgres://{{auth.user}}:{{auth.password}}@{{auth.tenant}}/crm",
	} {
		f := factoryOf(t, dsn)
		auth := bridge.Auth{"user": "u", "password": "p,/@"}
		for _, bad := range []string{
			"/tmp/theirs", "/", "@abstract", "evil.example,x", ",evil.example", "evil.example:5433,x", "evil.example/x?host=y", "evil.example#", "x y", "a@b",
			"..", ".x", "x.", "-x", "evil.example\x00", "[::1]", "::1", "%2Ftmp", strings.Repeat("a", 254), "evil.example'", "x' host=evil.example '", "x host=evil.example",
		} {
			auth["tenant"] = bad
			_, err := f.Open(t.Context(), auth)
			if bridge.CodeOf(err) != bridge.CodeUnauthorized {
				t.Errorf("%s: %q: %v", dsn, bad, err)
			} else if strings.Contains(err.Error(), bad) && len(bad) > 3 {
				t.Errorf("the error shows the credential: %v", err)
			}
		}
		for _, good := range []string{"acme", "acme-1", "acme.eu", "10.0.0.1", "A_b"} {
			auth["tenant"] = good
			src, err := f.Open(t.Context(), auth) // connects to nothing yet
			if err != nil {
				t.Errorf("%s: %q: %v", dsn, good, err)
				continue
			}
			_ = src.Close()
		}
	}
	if names := factoryOf(t, "postgres://{{auth.user}}:{{auth.password}}@db/{{auth.tenant}}").hostNames; len(names) != 0 {
		t.Errorf("credentials that are not in the host: %q", names)
	}
}

func TestNoConfiguredPasswordForAHostThatCallersChoose(t *testing.T) {
	for dsn, good := range map[string]bool{
		"postgres://svc:s3cret@{{auth.host}}/crm":                       false,
		"postgres://svc:s3cret@db-{{auth.host}}/crm":                    false,
		"host={{auth.host}} user={{auth.user}} password=s3cret":         false,
		"host=db.example.com,{{auth.host}} user=svc password=s3cret":    false,
		"postgres:///crm?host={{auth.host}}&user=svc&password=s3cret":   false,
		"postgres://svc:s3cret@{{auth.host}}.db.example.com/crm":        true,
		"postgres://{{auth.user}}:{{auth.password}}@{{auth.host}}/crm":  true,
		"postgres://{{auth.user}}@{{auth.host}}/crm":                    true,
		"postgres://svc:s3cret@db.example.com/{{auth.host}}":            true,
		"postgres://{{auth.user}}:{{auth.password}}@db.example.com/crm": true,
	} {
		err := factoryOf(t, dsn).CheckCallers()
		if (err == nil) != good {
			t.Errorf("%s: %v", dsn, err)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}
