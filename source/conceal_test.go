package source_test

import (
	"testing"

	"github.com/contactbridge/contactbridge/source"
)

func TestThePasswordInAURLIsFoundHoweverItIsWritten(t *testing.T) {
	for answer, want := range map[string][2]string{
		"mysql://reader:secret@db.example.com:3306/crm":             {"mysql://reader:${PW}@db.example.com:3306/crm", "secret"},
		"mysql://reader:r3ad:er@pw@db/crm?tls=true":                 {"mysql://reader:${PW}@db/crm?tls=true", "r3ad:er@pw"},
		"mysql://reader:a/b?c#d@db/crm":                             {"mysql://reader:${PW}@db/crm", "a/b?c#d"},
		"mysql://reader:p@s:s/w?rd#1@127.0.0.1:3306/crm":            {"mysql://reader:${PW}@127.0.0.1:3306/crm", "p@s:s/w?rd#1"},
		"mysql://reader:p@$?@db/crm?tls=true":                       {"mysql://reader:${PW}@db/crm?tls=true", "p@$?"},
		"postgres://u:p@h1:1,[::1]:2/crm?user=a@b":                  {"postgres://u:${PW}@h1:1,[::1]:2/crm?user=a@b", "p"},
		"mysql://reader:a%40b%2Fc@db/crm":                           {"mysql://reader:${PW}@db/crm", "a@b/c"},
		"mysql://reader:100%sure@db/crm":                            {"mysql://reader:${PW}@db/crm", "100%sure"},
		"mysql://reader:p@db/crm?user=a@b":                          {"mysql://reader:${PW}@db/crm?user=a@b", "p"},
		"mysql://reader@db/crm":                                     {"mysql://reader@db/crm", ""},
		"mysql://reader:@db/crm":                                    {"mysql://reader:@db/crm", ""},
		"mysql://reader:${DB_PW}@db/crm":                            {"mysql://reader:${DB_PW}@db/crm", ""},
		"mysql://db/crm":                                            {"mysql://db/crm", ""},
		"postgres:///crm?host=/run/postgresql&user=reader":          {"postgres:///crm?host=/run/postgresql&user=reader", ""},
		"host=db user=reader password=secret dbname=crm":            {"host=db user=reader password=secret dbname=crm", ""},
		"mysql://:secret@db/crm":                                    {"mysql://:${PW}@db/crm", "secret"},
		"mysql://reader:secret@/crm?socket=/run/mysqld/m.s":         {"mysql://reader:${PW}@/crm?socket=/run/mysqld/m.s", "secret"},
		"postgres://db/crm?user=reader&password=secret":             {"postgres://db/crm?user=reader&password=${PW}", "secret"},
		"postgres://reader@db/crm?sslmode=require&password=a@b%26c": {"postgres://reader@db/crm?sslmode=require&password=${PW}", "a@b&c"},
		"postgres://db:5432/crm?password=a@b:c/d&user=x":            {"postgres://db:5432/crm?password=${PW}&user=x", "a@b:c/d"},
		"postgres://reader:${DB_PW}@db/crm?sslpassword=secret":      {"postgres://reader:${DB_PW}@db/crm?sslpassword=${PW}", "secret"},
		"postgres://reader:p@db/crm?sslpassword=secret":             {"postgres://reader:${PW}@db/crm?sslpassword=secret", "p"},
		"postgres://db/crm?password=${A}&sslpassword=${B}":          {"postgres://db/crm?password=${A}&sslpassword=${B}", ""},
		"postgres:///crm?passfile=/run/pass&sslkey=k.pem&password=": {"postgres:///crm?passfile=/run/pass&sslkey=k.pem&password=", ""},
	} {
		if text, secret, _ := source.ConcealInURL(answer, "${PW}"); text != want[0] || secret != want[1] {
			t.Errorf("%s: %s, %q, want %s, %q", answer, text, secret, want[0], want[1])
		}
	}
}
