package strictyaml_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/contactbridge/contactbridge/internal/strictyaml"
)

// nasty holds everything that means something in a URL, in libpq's keywords or in YAML.
const nasty = `r3ad:er@pw /?#%[]&=+;,'"\{}<>^|$1 %41é{{auth.x}}`

// filledIn returns a file's one text after its references are filled in.
func filledIn(t *testing.T, text string, variables map[string]string) (string, error) {
	t.Helper()
	document, err := strictyaml.Parse("f.yaml", []byte("dsn: "+text+"\n"), strictyaml.Environment{
		Lookup:   func(name string) (string, bool) { value, ok := variables[name]; return value, ok },
		ReadFile: func(string) ([]byte, error) { return []byte(nasty + "\n"), nil },
	})
	if err != nil {
		return "", err
	}
	var into struct {
		DSN string `yaml:"dsn"`
	}
	return into.DSN, document.Decode(&into)
}

func TestReferenceInAURLIsEscapedAsItsPlaceDemands(t *testing.T) {
	variables := map[string]string{"X": nasty, "HOST": "db.example.com", "PORT": "6432", "V6": "[::1]:5432", "SETTINGS": "a=1&b=%41", "FOLDER": "/a b/c?d"}
	for text, read := range map[string]func(u *url.URL) string{
		"postgres://${X}@db/crm":                                       func(u *url.URL) string { return u.User.Username() },
		"postgres://${X}:${X}@${HOST}:${PORT}/crm":                     func(u *url.URL) string { return u.User.Username() },
		"postgres://reader:${X}@${HOST}/crm?a=1":                       password,
		"postgres://reader:${file:/run/s@/?#}@${V6}/crm":               password,
		"postgres://reader:${MISSING:-" + "r3ad:er@pw/?#%[] " + "}@db": func(u *url.URL) string { return strings.Replace(password(u), "r3ad:er@pw/?#%[] ", nasty, 1) },
		"https://${HOST}:${PORT}/a?token=${X}&b=1":                     func(u *url.URL) string { return u.Query().Get("token") },
		"https://h/a?${X}=1":                                           func(u *url.URL) string { return only(u.Query()) },
		"https://h/a?${SETTINGS}&token=${X}":                           func(u *url.URL) string { return u.Query().Get("token") },
		"https://h/${X}/contacts?x=1":                                  func(u *url.URL) string { return u.Path[1 : len(u.Path)-len("/contacts")] },
		"https://h/a#${X}":                                             func(u *url.URL) string { return u.Fragment },
		"https://{{auth.user}}:${X}@{{auth.host}}/contacts":            func(u *url.URL) string { return password(u) },
	} {
		got, err := filledIn(t, `"`+strings.ReplaceAll(text, `"`, `\"`)+`"`, variables)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		u, err := url.Parse(strings.NewReplacer("{{auth.user}}", "u", "{{auth.host}}", "h").Replace(got))
		if err != nil {
			t.Errorf("%s became %s: %v", text, got, err)
			continue
		}
		if value := read(u); value != nasty {
			t.Errorf("%s became %s: read as %q", text, got, value)
		}
	}
	for text, want := range map[string]string{
		"postgres://u:p@${HOST}:${PORT}/crm": "postgres://u:p@db.example.com:6432/crm",
		"postgres://u@${V6},${HOST}/crm":     "postgres://u@[::1]:5432,db.example.com/crm",
		"postgres://db/crm?${SETTINGS}":      "postgres://db/crm?a=1&b=%41",
		"postgres://db/crm?x=1&${SETTINGS}":  "postgres://db/crm?x=1&a=1&b=%41",
		"file:${FOLDER}/crm.db?mode=ro":      "file:/a%20b/c%3Fd/crm.db?mode=ro",
		"${HOST}/no/url/${FOLDER}":           "db.example.com/no/url//a b/c?d",
		"concat('https://h/', ${FOLDER})":    "concat('https://h/', /a b/c?d)",
		"a${X}":                              "a" + nasty,
	} {
		if got, err := filledIn(t, `"`+text+`"`, variables); err != nil || got != want {
			t.Errorf("%s became %q, want %q (%v)", text, got, want, err)
		}
	}
}

func password(u *url.URL) string { text, _ := u.User.Password(); return text }

func only(values url.Values) string {
	for name := range values {
		return name
	}
	return ""
}

func TestReferenceToAWholeURLIsTakenAsItIs(t *testing.T) {
	const whole = "postgres://reader:r3ad%3Aer%40pw@db/crm?sslmode=disable"
	got, err := filledIn(t, "${WHOLE}", map[string]string{"WHOLE": whole})
	if err != nil || got != whole {
		t.Errorf("got %q (%v)", got, err)
	}
	got, err = filledIn(t, "${BASE}/contacts?token=${TOKEN}", map[string]string{"BASE": "https://u:p@h", "TOKEN": "a b&c"})
	if want := "https://u:p@h/contacts?token=a%20b%26c"; err != nil || got != want {
		t.Errorf("got %q, want %q (%v)", got, want, err)
	}
}

func TestReferenceInKeywordsAndValuesIsEscaped(t *testing.T) {
	for _, text := range []string{
		"host=db user=reader password=${X} dbname=crm", "host=db user=reader password='${X}' dbname=crm", "password = ${X}  host = db user = '${X}'",
	} {
		got, err := filledIn(t, "|-\n  "+text, map[string]string{"X": nasty})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		cfg, err := pgx.ParseConfig(got)
		if err != nil || cfg.Password != nasty || cfg.Host != "db" {
			t.Errorf("%s: read as %q (%v)", text, cfg.Password, err)
		}
	}
	if got, err := filledIn(t, "user = ${X} and region = 'x'", map[string]string{"X": "o'b c"}); err != nil || got != "user = o'b c and region = 'x'" {
		t.Errorf("an expression became %q (%v)", got, err)
	}
}

func TestReferenceThatCannotBeAHostIsAProblem(t *testing.T) {
	for _, value := range []string{"r:pw@db", "db/crm", "db?x", "a b", "db#"} {
		_, err := filledIn(t, "postgres://${HOST}/crm", map[string]string{"HOST": value})
		if err == nil || !strings.Contains(err.Error(), "${HOST}") || strings.Contains(err.Error(), value) {
			t.Errorf("%q: %v, want the reference's name and not its value", value, err)
		}
	}
}
