package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"github.com/contactbridge/contactbridge/internal/bridgeserver"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/setup"
	"github.com/contactbridge/contactbridge/internal/test/ldaptest"
	"github.com/contactbridge/contactbridge/source/kinds"
)

// A shape is a way in which databases keep contacts. Names in brackets are quoted as each database wants it.
type shape struct {
	name   string
	sql    string // statements with a semicolon and a line break after each
	flags  []string
	chosen string   // a line of the configuration
	says   []string // of what init prints
	// unindexed says that no index finds the rows of a side table.
	unindexed bool
	contacts  []string // id|name|company|phones|emails, in the order of their ids
}

var shapes = []shape{
	{
		name: "names as in programs, customers of many countries, no updated",
		sql: `CREATE TABLE [Employee] ([EmployeeId] integer PRIMARY KEY, [LastName] varchar(20) NOT NULL, [FirstName] varchar(20) NOT NULL, [Phone] varchar(24), [Email] varchar(60));
CREATE TABLE [Customer] ([CustomerId] integer PRIMARY KEY, [FirstName] varchar(40) NOT NULL, [LastName] varchar(20) NOT NULL, [Company] varchar(80), [City] varchar(40),
	[Country] varchar(40), [Phone] varchar(24), [Fax] varchar(24), [Email] varchar(60) NOT NULL, [SupportRepId] integer REFERENCES [Employee] ([EmployeeId]));
CREATE TABLE [Invoice] ([InvoiceId] integer PRIMARY KEY, [CustomerId] integer NOT NULL REFERENCES [Customer] ([CustomerId]), [BillingCountry] varchar(40), [Total] numeric(10,2));
INSERT INTO [Employee] VALUES (1, 'Adams', 'Ann', '+1 (780) 428-9482', 'ann@shop.example'), (2, 'Byrd', 'Bo', '+1 (780) 428-9483', 'bo@shop.example');
INSERT INTO [Customer] VALUES (1, 'Lena', 'Kurz', 'Kurz AG', 'Berlin', 'Germany', '030 1234567', '030 1234568', 'lena@example.com', 1),
	(2, 'Marc', 'Petit', NULL, 'Paris', 'France', '01 42 68 53 00', NULL, 'marc@example.com', 2), (3, 'Jo', 'Reed', '', 'Reno', 'USA', '+1 (775) 223-7665', NULL, 'jo@example.com', 2);
INSERT INTO [Invoice] VALUES (1, 1, 'Germany', 9.90), (2, 3, 'USA', 1.98);
`,
		chosen: "table: Customer ", says: []string{"Employee  2 rows, names, phone numbers, e-mail addresses", "No column was found that says when a contact was last changed"},
		contacts: []string{"1|Lena Kurz|Kurz AG|+49301234567|lena@example.com", "2|Marc Petit||+33142685300|marc@example.com", "3|Jo Reed||+17752237665|jo@example.com"},
	},
	{
		name: "a side table of phones, countries and companies elsewhere",
		sql: `CREATE TABLE countries (id integer PRIMARY KEY, iso_code varchar(2), name varchar(50));
CREATE TABLE companies (id integer PRIMARY KEY, name varchar(80), city varchar(50));
CREATE TABLE people (id integer PRIMARY KEY, full_name varchar(80) NOT NULL, email varchar(80), company_id integer, country_id integer, updated_at timestamp NULL,
	FOREIGN KEY (company_id) REFERENCES companies (id), FOREIGN KEY (country_id) REFERENCES countries (id));
CREATE TABLE phones (id integer PRIMARY KEY, person_id integer NOT NULL, label varchar(20), number varchar(40) NOT NULL, deleted boolean NOT NULL, FOREIGN KEY (person_id) REFERENCES people (id));
CREATE INDEX phones_person ON phones (person_id);
INSERT INTO countries VALUES (1, 'AT', 'Österreich'), (2, 'CH', 'Schweiz');
INSERT INTO companies VALUES (1, 'Alpha GmbH', 'Wien');
INSERT INTO people VALUES (1, 'Eva Moser', 'eva@example.com', 1, 1, '2026-01-02 10:00:00'), (2, 'Urs Frei', NULL, NULL, 2, '2026-01-03 10:00:00');
INSERT INTO phones VALUES (1, 1, 'work', '01 5861212', false), (2, 1, 'mobile', '0664 1234567', false), (3, 1, 'old', '01 5861213', true), (4, 2, 'home', '044 668 18 00', false);
`,
		chosen: "table: people ", says: []string{"table phones belongs to it by its foreign key person_id", "Updated is left out: updated_at does not tell of changes in companies, phones"},
		contacts: []string{"1|Eva Moser|Alpha GmbH|+4315861212 +436641234567|eva@example.com", "2|Urs Frei||+41446681800|"},
	},
	{
		name: "names in parts, with the table's name before each column",
		sql: `CREATE TABLE cust (cust_id integer PRIMARY KEY, cust_fname varchar(40), cust_middle_name varchar(40), cust_lname varchar(40), cust_phone1 varchar(40), cust_phone2 varchar(40), cust_fax varchar(40),
	cust_mail varchar(80), cust_order varchar(40), cust_updated_at timestamp NOT NULL);
INSERT INTO cust VALUES (1, 'Ada', '', 'King', '030 1234567', NULL, '030 99', 'ada@example.com', 'x', '2026-01-02 10:00:00'), (2, 'Bo', 'B.', 'Bell', '', '0171 1234567', NULL, NULL, 'y', '2026-01-02 11:00:00');
`,
		flags: []string{"--region", "Germany"}, chosen: "updated: cust_updated_at ", says: []string{"check that your program moves it with every change"},
		contacts: []string{"1|Ada King||+49301234567|ada@example.com", "2|Bo B. Bell||+491711234567|"},
	},
	{
		name: "soft deletes, and an updated that is empty until the first change",
		sql: `CREATE TABLE clients (uuid varchar(36) NOT NULL PRIMARY KEY, name varchar(80), mobile varchar(40), created_at timestamp NOT NULL, updated_at timestamp NULL, deleted boolean NOT NULL, [group] varchar(10));
INSERT INTO clients VALUES ('a-1', 'Ann', '+49 171 1234567', '2026-01-01 10:00:00', NULL, false, 'x'), ('a-2', 'Ben', '+49 171 1234568', '2026-01-01 10:00:00', '2026-01-05 10:00:00', true, 'y'),
	('a-3', 'Cem', '+49 171 1234569', '2026-01-01 10:00:00', '2026-01-06 10:00:00', false, 'x');
`,
		chosen: "updated: coalesce(updated_at, created_at) ", says: []string{"deleted", "region         DE"},
		contacts: []string{"a-1|Ann||+491711234567|", "a-3|Cem||+491711234569|"},
	},
	{
		name: "no updated, and everything but the name in one table of contact methods without a foreign key",
		sql: `CREATE TABLE member (member_no integer PRIMARY KEY, display_name varchar(80), joined date);
CREATE TABLE contact_method (id integer PRIMARY KEY, member_no integer NOT NULL, method_type varchar(20) NOT NULL, value varchar(100) NOT NULL);
INSERT INTO member VALUES (7, 'Gil', '2020-01-01'), (8, 'Hal', '2021-01-01');
INSERT INTO contact_method VALUES (1, 7, 'mobile', '+49 171 5551234'), (2, 7, 'email', 'gil@example.com'), (3, 7, 'fax', '+49 30 5551235'), (4, 8, 'phone', '+49 30 5551236'), (5, 8, 'web', 'https://example.com/');
`,
		chosen: "table: member ", says: []string{"by the name of its column member_no, with method_type mobile, phone", "values of method_type are not taken: fax, web"}, unindexed: true,
		contacts: []string{"7|Gil||+491715551234|gil@example.com", "8|Hal||+49305551236|"},
	},
	{
		name: "a side table with a key of two columns, companies by another one, and an empty display name",
		sql: `CREATE TABLE companies (tenant_id integer NOT NULL, no varchar(20) NOT NULL, name varchar(80), PRIMARY KEY (tenant_id, no));
CREATE TABLE contacts (tenant_id integer NOT NULL, no varchar(20) NOT NULL, display_name varchar(80), name varchar(80), company_no varchar(20), PRIMARY KEY (tenant_id, no),
	FOREIGN KEY (tenant_id, company_no) REFERENCES companies (tenant_id, no));
CREATE TABLE contact_points (id integer PRIMARY KEY, tenant_id integer NOT NULL, contact_no varchar(20) NOT NULL, kind varchar(20) NOT NULL, value varchar(80) NOT NULL,
	FOREIGN KEY (tenant_id, contact_no) REFERENCES contacts (tenant_id, no));
CREATE INDEX points ON contact_points (tenant_id, contact_no);
INSERT INTO companies VALUES (1, 'x', 'Fox'), (2, 'x', 'Day');
INSERT INTO contacts VALUES (1, 'c-1', NULL, 'Ann', 'x'), (2, 'c-1', NULL, 'Ben', 'x'), (2, 'c-2', NULL, 'Cem', NULL);
INSERT INTO contact_points VALUES (1, 1, 'c-1', 'mobile', '+49 30 1234561'), (2, 1, 'c-1', 'email', 'ann@example.com'), (3, 2, 'c-1', 'mobile', '+49 30 1234562'),
	(4, 2, 'c-1', 'email', 'ben@example.com'), (5, 2, 'c-2', 'phone', '+49 30 1234563');
`,
		chosen: "table: contacts ", says: []string{"table contact_points belongs to it by its foreign key tenant_id, contact_no, with kind mobile, phone"},
		contacts: []string{"1:c-1|Ann|Fox|+49301234561|ann@example.com", "2:c-1|Ben|Day|+49301234562|ben@example.com", "2:c-2|Cem||+49301234563|"},
	},
	{
		name: "several candidates",
		sql: `CREATE TABLE users (id integer PRIMARY KEY, login varchar(40), name varchar(80), email varchar(80));
CREATE TABLE customers_backup (id integer PRIMARY KEY, name varchar(80), phone varchar(40));
CREATE TABLE leads (id integer PRIMARY KEY, name varchar(80), phone varchar(40));
CREATE TABLE customers (id integer PRIMARY KEY, name varchar(80), phone varchar(40), email varchar(80));
CREATE TABLE contacts (id integer PRIMARY KEY, name varchar(80), phone varchar(40));
CREATE VIEW active_customers AS SELECT id, name, phone FROM customers;
INSERT INTO users VALUES (1, 'root', 'Root', 'root@example.com');
INSERT INTO customers_backup VALUES (1, 'Old', '+49 30 1234560'), (2, 'Older', '+49 30 1234561'), (3, 'Oldest', '+49 30 1234562');
INSERT INTO leads VALUES (5, 'Lee', '+49 30 1234565');
INSERT INTO customers VALUES (1, 'Ann', '+49 30 1234563', 'ann@example.com'), (2, 'Ben', '+49 30 1234564', NULL);
`,
		chosen:   "table: customers ",
		says:     []string{"leads             1 row, names, phone numbers", "contacts          it is empty", `customers_backup  3 rows, names, phone numbers; but "backup" in its name`, "To take another one: --table NAME"},
		contacts: []string{"1|Ann||+49301234563|ann@example.com", "2|Ben||+49301234564|"},
	},
}

// A database kind makes a private database of statements, and says how init reaches it.
type databaseKind struct {
	quote string
	open  func(t *testing.T, statements string) (flags []string)
}

var databaseKinds = map[string]databaseKind{
	"postgres": {`"`, func(t *testing.T, statements string) []string {
		db := server.Database(t, statements)
		return []string{"--dsn", db.User(t)}
	}},
	"mysql": {"`", func(t *testing.T, statements string) []string {
		db := mariadb.Database(t, statements)
		return []string{"--dsn", db.User(t, "PROCESS")}
	}},
	"sqlite": {`"`, func(t *testing.T, statements string) []string { return []string{"--path", sqliteFile(t, statements)} }},
}

func sqliteFile(t *testing.T, statements string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "crm.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statements); err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
	return path
}

// What init writes for a database that it has never seen is served, passes the check, and shows the contacts that are there.
func TestInitServesDatabasesOfManyShapes(t *testing.T) {
	for kind, k := range databaseKinds {
		t.Run(kind, func(t *testing.T) {
			for _, s := range shapes {
				t.Run(s.name, func(t *testing.T) {
					place := k.open(t, strings.NewReplacer("[", k.quote, "]", k.quote).Replace(s.sql))
					text, stdout := initialize(t, append(append([]string{kind}, place...), s.flags...)...)
					if !strings.Contains(text, s.chosen) || strings.Contains(text+stdout, "secret") {
						t.Errorf("the configuration lacks %q, or holds the password:\n%s", s.chosen, text)
					}
					for _, says := range s.says {
						if !strings.Contains(stdout, says) {
							t.Errorf("it does not say %q:\n%s", says, stdout)
						}
					}
					if n := strings.Count(stdout, "no index finds") + strings.Count(stdout, "has no index on"); n > 1 || n == 0 && s.unindexed {
						t.Errorf("it says %d times that a side table has no index:\n%s", n, stdout)
					}
					if diff := cmp.Diff(s.contacts, served(t, text)); diff != "" {
						t.Errorf("%s\n%s\n%s", diff, text, stdout)
					}
				})
			}
		})
	}
}

// initialize runs init --yes, and returns the configuration and what was printed.
func initialize(t *testing.T, args ...string) (text, stdout string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bridge.yaml")
	status, stdout, stderr := inProcess(t, append(append([]string{"init"}, args...), "--yes", "-o", path)...)
	written, err := os.ReadFile(path)
	if status != exitDone || err != nil {
		t.Fatalf("%q: status %d, %v\n%s%s", args, status, err, stdout, stderr)
	}
	return string(written), stdout
}

// served serves a configuration, checks the bridge strictly, and returns its contacts.
func served(t *testing.T, text string) []string {
	t.Helper()
	for line := range strings.Lines(text) {
		if name, _, ok := strings.Cut(strings.TrimPrefix(line, "#   "), ": "); ok && strings.HasPrefix(line, "#   ") {
			t.Setenv(name, map[bool]string{true: "t0ken-of-callers", false: "secret"}[strings.HasSuffix(name, "_BRIDGE_TOKEN")])
		}
	}
	cfg, err := config.Load(writeFile(t, "bridge.yaml", text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	bridge, err := bridgeserver.New(cfg, bridgeserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(bridge)
	t.Cleanup(func() {
		web.Close()
		_ = bridge.Close()
	})
	url := web.URL + "/" + endpointNames(cfg)[0] + "/contact_sync"
	if status, stdout, stderr := inProcess(t, "check", url, "--auth", "token=t0ken-of-callers", "--pause", "10ms", "--strict"); status != exitDone {
		t.Errorf("check: status %d\n%s%s\n%s", status, stdout, stderr, text)
	}
	return contactsAt(t, url)
}

func contactsAt(t *testing.T, url string) []string {
	t.Helper()
	response, err := http.Post(url, "application/json", strings.NewReader(`{"auth":{"token":"t0ken-of-callers"}}`))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var page struct {
		Contacts []struct {
			ID, Name, Company string
			Phones            []string
			Emails            []string
		}
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(response.Body); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body.Bytes(), &page); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%d, %v: %s", response.StatusCode, err, body.String())
	}
	var list []string
	for _, c := range page.Contacts {
		list = append(list, strings.Join([]string{c.ID, c.Name, c.Company, strings.Join(c.Phones, " "), strings.Join(c.Emails, " ")}, "|"))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func TestInitServesFiles(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"customers.csv":  "Customer No;First Name;Last Name;Telefon;Erreichbar\n1001;Ann;Lee;+49 30 1234567;+49 171 1234567\n1002;Ben;Day;+49 30 1234568;\n1003;Cem;Fox;;+49 171 1234569\n",
		"contacts.vcf":   "BEGIN:VCARD\nVERSION:3.0\nUID:1\nFN:Ann Lee\nTEL:+49 30 1234567\nEND:VCARD\n",
		"contacts.jsonl": `{"id": 1, "name": "Ann Lee", "phone": "+49 30 1234567"}` + "\n",
		"odd.jsonl":      `{"nr": "a", "who": {"name": "Ann Lee"}, "reach": "+49 30 1234567"}` + "\n" + `{"nr": "b", "who": {"name": "Ben"}, "reach": "+49 30 1234568"}` + "\n",
		"contacts.json":  `{"meta": {}, "old": [{"x": 1}], "data": {"people": [{"id": "a", "name": "Ann Lee", "phones": ["+49 30 1234567", "+49 171 1234567"]}]}}`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		kind, file string
		lines      []string // of the configuration
		contacts   []string
	}{
		{
			"csv", "customers.csv",
			[]string{"id: Customer No ", "phones: [Telefon, Erreichbar]", "name: join([`First Name`, `Last Name`], \" \")"},
			[]string{"1001|Ann Lee||+49301234567 +491711234567|", "1002|Ben Day||+49301234568|", "1003|Cem Fox||+491711234569|"},
		},
		{"vcard", "contacts.vcf", nil, []string{"1|Ann Lee||+49301234567|"}},
		{"jsonl", "contacts.jsonl", nil, []string{"1|Ann Lee||+49301234567|"}},
		{"jsonl", "odd.jsonl", []string{"phones: [reach]", "id: nr "}, []string{"a|Ann Lee||+49301234567|", "b|Ben||+49301234568|"}},
		{"json", "contacts.json", []string{"records: data.people "}, []string{"a|Ann Lee||+49301234567 +491711234567|"}},
	} {
		t.Run(c.file, func(t *testing.T) {
			text, stdout := initialize(t, c.kind, "--path", filepath.Join(folder, c.file))
			for _, line := range c.lines {
				if !strings.Contains(text, line) {
					t.Errorf("the configuration lacks %q", line)
				}
			}
			if diff := cmp.Diff(c.contacts, served(t, text)); diff != "" || t.Failed() {
				t.Errorf("%s\n%s\n%s", diff, text, stdout)
			}
		})
	}
	text, stdout := initialize(t, "xlsx", "--path", filepath.Join(examplesFolder, "customers.xlsx"), "--region", "GB")
	if !strings.Contains(text, "sheet: Contacts ") || !strings.Contains(text, "id: Customer No ") || !strings.Contains(stdout, "+442079460018") {
		t.Errorf("%s\n%s", text, stdout)
	}
}

// The name of a file is written as it is seen from the configuration's folder.
func TestInitWritesNamesOfFilesRelativeToTheConfiguration(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, folder := range []string{"data", "etc"} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	writeTo(t, "data/people.csv", "id,name,phone\n1,Ann,+49 30 1234567\n")
	status, stdout, stderr := inProcess(t, "init", "csv", "--path", "data/people.csv", "--yes", "-o", "etc/bridge.yaml")
	text, _ := os.ReadFile("etc/bridge.yaml")
	if status != exitDone || !strings.Contains(string(text), "path: ../data/people.csv") || !strings.Contains(stdout, "+49301234567") {
		t.Errorf("status %d, %s%s%s", status, stdout, stderr, text)
	}
}

// N6: a password with signs of a URL is understood, kept out of the file and of everything that is printed, and escaped where the
// configuration is read.
func TestInitKeepsAPasswordWithSignsOutOfTheConfiguration(t *testing.T) {
	const password = "r3ad:er@p/w#%"
	name := "odd_reader"
	db := server.Database(t, "CREATE TABLE customers (id integer PRIMARY KEY, name text, phone text)", "INSERT INTO customers VALUES (1, 'Ann', '+49 30 1234567')")
	db.Exec(t, "CREATE ROLE "+name+" LOGIN PASSWORD '"+password+"'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO "+name)
	t.Cleanup(func() { db.Exec(t, "DROP OWNED BY "+name+"; DROP ROLE "+name) })
	at := db.DSN[strings.LastIndexByte(db.DSN, '@')+1:]
	hostPort, rest, _ := strings.Cut(at, "/")
	host, port, _ := strings.Cut(hostPort, ":")
	database, _, _ := strings.Cut(rest, "?")
	t.Setenv("MY_PW", password)
	for _, dsn := range []string{
		"postgres://" + name + ":" + password + "@" + at,
		"postgres://" + name + ":${MY_PW}@" + at,
		"host=" + host + " port=" + port + " dbname=" + database + " user=" + name + " password='" + password + "' sslmode=disable",
		"postgres://" + hostPort + "/" + database + "?sslmode=disable&user=" + name + "&password=" + url.QueryEscape(password),
		"postgres://" + name + "@" + at + "&password=" + strings.ReplaceAll(password, "%", "%25"),
		"postgres://" + name + ":" + password + "@" + at + "&sslpassword=r3ad-too",
		"host=" + host + " port=" + port + " dbname=" + database + " user=" + name + " sslpassword=r3ad://too password='" + password + "' sslmode=disable",
	} {
		path := filepath.Join(t.TempDir(), "bridge.yaml")
		status, stdout, stderr := inProcess(t, "init", "postgres", "--dsn", dsn, "--yes", "-o", path)
		text, _ := os.ReadFile(path)
		if status != exitDone || strings.Contains(string(text)+stdout+stderr, password) || strings.Contains(string(text)+stdout+stderr, "r3ad") {
			t.Fatalf("%s: status %d\n%s%s%s", dsn, status, stdout, stderr, text)
		}
		t.Setenv("CUSTOMERS_PASSWORD", password)
		t.Setenv("CUSTOMERS_PASSWORD_2", "r3ad-too")
		if strings.Contains(dsn, "sslpassword=r3ad://") { // it stands first
			t.Setenv("CUSTOMERS_PASSWORD", "r3ad://too")
			t.Setenv("CUSTOMERS_PASSWORD_2", password)
		}
		t.Setenv("CUSTOMERS_BRIDGE_TOKEN", "t0ken-of-callers")
		if status, stdout, stderr := inProcess(t, "serve", "--check", "-c", path); status != exitDone {
			t.Errorf("%s: status %d %s%s\n%s", dsn, status, stdout, stderr, text)
		}
	}
}

func TestInitSaysWhatIsWrong(t *testing.T) {
	file := sqliteFile(t, twoTablesOfNothing)
	empty := sqliteFile(t, "")
	exists := writeFile(t, "bridge.yaml", "listen: 127.0.0.1:1\n")
	folder := t.TempDir()
	output := filepath.Join(folder, "bridge.yaml")
	wrong := strings.Replace(server.Database(t).User(t), ":secret@", ":wr0ng@", 1)
	wrongToo := strings.Replace(mariadb.Database(t).User(t), ":secret@", ":wr0ng@", 1)
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"sqlite", "--path", file}, exitMisuse, "nothing can be asked: this is not a terminal\nhint: Give --yes"},
		{nil, exitMisuse, "nothing can be asked: this is not a terminal"},
		{[]string{"--yes"}, exitMisuse, "with --yes the kind must be named\nhint: Choose one: postgres,"},
		{[]string{"postgre", "--yes"}, exitMisuse, "init cannot set up a source of kind \"postgre\"\nhint: Did you mean \"postgres\"?"},
		{[]string{"memory"}, exitMisuse, "init cannot set up a source of kind \"memory\""},
		{[]string{"mysql", "--yes"}, exitMisuse, "--dsn is missing\nhint: For example: contactbridge init mysql --dsn "},
		{[]string{"mysql", "--yes", "--dsn", "crm"}, exitMisuse, "--dsn: dsn cannot be read"},
		{[]string{"mysql", "--yes", "--dsn", "mysql://r:${NO_SUCH_VARIABLE}@127.0.0.1:1/crm"}, exitMisuse, "the environment variable NO_SUCH_VARIABLE is not set"},
		{[]string{"mysql", "--yes", "--dsn", "mysql://r:wr0ng@127.0.0.1:1/crm"}, exitFailed, "the database cannot be reached"},
		{[]string{"postgres", "--yes", "--dsn", wrong}, exitFailed, "the database refused the credentials"},
		{[]string{"mysql", "--yes", "--dsn", wrongToo}, exitFailed, "the database refused the credentials"},
		{[]string{"sqlite", "--yes", "--path", "none.db"}, exitFailed, "the database file does not exist"},
		{[]string{"sqlite", "--yes", "--path", empty}, exitFailed, "there is no table that could be read\nhint: Check that this is the right place"},
		{[]string{"sqlite", "--yes", "--path", file}, exitFailed, "no table looks as if it holds contacts"},
		{[]string{"sqlite", "--yes", "--path", file, "--table", "Customer"}, exitFailed, "there is no table \"Customer\"\nhint: There are "},
		{[]string{"sqlite", "--yes", "--path", file, "--table", "film", "--field", "phones"}, exitMisuse, "--field \"phones\" is not NAME=EXPRESSION"},
		{[]string{"sqlite", "--yes", "--path", file, "--table", "film", "--set", "nonsense=1"}, exitMisuse, "unknown key \"nonsense\"\n    Known keys here: path,"},
		{[]string{"sqlite", "--yes", "--path", file, "--region", "Atlantis"}, exitMisuse, "\"Atlantis\" is not a country"},
		{[]string{"csv", "--yes", "--path", filepath.Join(examplesFolder, "customers.xlsx")}, exitFailed, "customers.xlsx is an Excel workbook"},
		{[]string{"csv", "--yes", "--path", filepath.Join(folder, "none.csv")}, exitFailed, "none.csv does not exist"},
		{[]string{"csv", "--yes", "--path", writeFile(t, "empty.csv", "")}, exitFailed, "has no first row with the names of the columns"},
		{[]string{"sqlite", "--yes", "--path", file, "-o", exists}, exitMisuse, "exists already\nhint: Name another file with -o, or give --force"},
		{[]string{"sqlite", "--yes", "--path", file, "-o", filepath.Join(folder, "no", "bridge.yaml")}, exitMisuse, "the folder of "},
		{[]string{"sqlite", "--yes", "--path", file, "-o", "/proc/bridge.yaml"}, exitFailed, "/proc/bridge.yaml cannot be written"}, // not even root may
		{[]string{"sqlite", "--yes", "--path", file, "-o", "/proc/bridge.yaml"}, exitFailed, "hint: Name a file with -o in a folder that you may write to"},
	} {
		args := append([]string{"init"}, c.args...)
		if !slices.Contains(args, "-o") {
			args = append(args, "-o", output)
		}
		status, stdout, stderr := inProcess(t, args...)
		if _, err := os.Stat(output); status != c.status || !strings.Contains(stderr, c.want) || err == nil || strings.Contains(stdout+stderr, "wr0ng") {
			t.Errorf("%q: status %d, want %d and %q\n%s%s", c.args, status, c.status, c.want, stdout, stderr)
		}
	}
	if text, err := os.ReadFile(exists); err != nil || string(text) != "listen: 127.0.0.1:1\n" {
		t.Errorf("the file that was there is %q, %v", text, err)
	}
}

const twoTablesOfNothing = `CREATE TABLE film (id integer PRIMARY KEY, title text);
INSERT INTO film VALUES (1, 'Alien');
CREATE TABLE genre (id integer PRIMARY KEY, name text);
INSERT INTO genre VALUES (1, 'Horror');`

func TestInitOverwritesByForceAndPrints(t *testing.T) {
	file := sqliteFile(t, "CREATE TABLE people (id integer PRIMARY KEY, name text, phone text);\nINSERT INTO people VALUES (1, 'Ann', '+49 30 1234567');")
	exists := writeFile(t, "bridge.yaml", "x\n")
	if status, _, stderr := inProcess(t, "init", "sqlite", "--path", file, "--yes", "--force", "-o", exists, "--name", "crm", "--listen", "127.0.0.1:0"); status != exitDone {
		t.Fatal(stderr)
	}
	text, err := os.ReadFile(exists)
	if err != nil || !strings.Contains(string(text), "listen: 127.0.0.1:0\nendpoints:\n  crm:\n") {
		t.Errorf("%s, %v", text, err)
	}
	status, stdout, stderr := inProcess(t, "init", "sqlite", "--path", file, "--yes", "-o", "-")
	if status != exitDone || !strings.HasPrefix(stdout, "# Written by contactbridge init.") || !strings.HasSuffix(stdout, "format: e164}\n") || !strings.Contains(stderr, "What is proposed") {
		t.Errorf("status %d\n%s\n%s", status, stdout, stderr)
	}
}

// The guide shows what its commands print.
func TestTheGuideOfInitIsTrue(t *testing.T) {
	guide, err := os.ReadFile("../../docs/init.md")
	if err != nil {
		t.Fatal(err)
	}
	statements, err := os.ReadFile(filepath.Join(examplesFolder, "crm.sql"))
	if err != nil {
		t.Fatal(err)
	}
	file := sqliteFile(t, string(statements))
	t.Chdir(filepath.Dir(file))
	blocks := blocks(string(guide), "")
	command := words(strings.TrimPrefix(strings.Split(strings.TrimSpace(blocks[1]), "\n")[1], "contactbridge "))
	status, stdout, stderr := inProcess(t, command...)
	for _, block := range blocks[2:4] {
		if !strings.Contains(stdout, block) {
			t.Errorf("status %d, it does not print\n%s\nbut\n%s%s", status, block, stdout, stderr)
		}
	}
}

// Chinook is a well-known sample of a shop; it is tried where it is at hand.
func TestInitServesChinook(t *testing.T) {
	file := os.Getenv("CHINOOK_SQLITE")
	if file == "" {
		t.Skip("OPTIONAL: CHINOOK_SQLITE names no file of the Chinook sample database; the first of the shapes above is like it")
	}
	text, stdout := initialize(t, "sqlite", "--path", file)
	if got := served(t, text); len(got) != 59 || !slices.Contains(got, "1|Luís Gonçalves|Embraer - Empresa Brasileira de Aeronáutica S.A.|+551239235555|luisg@embraer.com.br") {
		t.Errorf("%d contacts\n%s\n%s", len(got), text, stdout)
	}
}

// A name is one name, whatever is in it.
func TestInitReadsWhatHasACommaInItsName(t *testing.T) {
	file := sqliteFile(t, "CREATE TABLE \"Kunden, Partner\" (id integer PRIMARY KEY, name text, phone text);\nINSERT INTO \"Kunden, Partner\" VALUES (1, 'Ann', '+49 30 1234567');\n"+
		"CREATE TABLE leads (id integer PRIMARY KEY, name text, phone text);\nINSERT INTO leads VALUES (2, 'Lea', '+49 30 1234568'), (3, 'Leo', '+49 30 1234569');")
	want := []string{"1|Ann||+49301234567|"}
	text, _ := initialize(t, "sqlite", "--path", file, "--table", "Kunden, Partner")
	if diff := cmp.Diff(want, served(t, text)); diff != "" {
		t.Error(diff, text)
	}
	_, shown, text := dialog(t, []string{"sqlite", "--path", file}, "table=leads", "table=Kunden, Partner", "")
	if diff := cmp.Diff(want, served(t, text)); diff != "" {
		t.Error(diff, text, shown)
	}
	book := excelize.NewFile()
	defer book.Close()
	name := filepath.Join(t.TempDir(), "customers.xlsx")
	if err := errors.Join(book.SetSheetName("Sheet1", "Kunden, Partner"), book.SetSheetRow("Kunden, Partner", "A1", &[]string{"id", "name", "phone, private"}),
		book.SetSheetRow("Kunden, Partner", "A2", &[]string{"1", "Ann", "+49 30 1234567"}), book.SaveAs(name)); err != nil {
		t.Fatal(err)
	}
	_, shown, text = dialog(t, []string{"xlsx", "--path", name, "--sheet", "Kunden, Partner"}, "phones=phone, private", "")
	if diff := cmp.Diff(want, served(t, text)); diff != "" {
		t.Error(diff, text, shown)
	}
}

// Every base of a directory has commas in its name. One may be named that holds people only further below.
func TestInitReadsANamedBase(t *testing.T) {
	suite := &ldaptest.Suite{Start: func(ctx context.Context) (*ldaptest.Server, error) {
		return ldaptest.StartOpenLDAP(ctx, ldaptest.OpenLDAP{})
	}}
	t.Cleanup(func() { _ = suite.Stop() })
	directory := suite.Server(t)
	people := "ou=people," + directory.Base
	if err := directory.Load(t.Context(), "dn: "+people+"\nobjectClass: organizationalUnit\nou: people\n\n"+
		"dn: ou=sales,"+people+"\nobjectClass: organizationalUnit\nou: sales\n\n"+
		"dn: cn=Lee\\, Ann,ou=sales,"+people+"\nobjectClass: inetOrgPerson\ncn: Lee, Ann\nsn: Lee\ndisplayName: Ann Lee\ntelephoneNumber: +49 30 1234567\n\n"+
		"dn: cn=Bo,"+directory.Base+"\nobjectClass: inetOrgPerson\ncn: Bo\nsn: Bo\ntelephoneNumber: +49 30 1234568\n"); err != nil {
		t.Fatal(err)
	}
	place := []string{"ldap", "--url", directory.URL, "--bind-dn", directory.Reader, "--password", directory.ReaderPassword}
	for _, base := range []string{people, "OU=sales, " + people} {
		for _, flags := range [][]string{{"--base", base}, {"--set", "base=" + base}} {
			text, stdout := initialize(t, append(slices.Clone(place), flags...)...)
			if !strings.Contains(text, "base: "+base) || !strings.Contains(stdout, "Ann Lee") || strings.Contains(stdout, "Bo ") {
				t.Error(text, stdout)
			}
		}
	}
	_, shown, text := dialog(t, place, "base="+people, "")
	if !strings.Contains(text, "base: "+people) || !strings.Contains(shown, "ou=sales,"+people+"  it holds some of the people") {
		t.Error(text, shown)
	}
	if status, _, stderr := inProcess(t, append(append([]string{"init"}, place...), "--base", "ou=nobody,"+directory.Base, "--yes", "-o", "-")...); status != exitFailed || !strings.Contains(stderr, "ou=nobody") {
		t.Errorf("status %d, %s", status, stderr)
	}
}

// Keys of several columns become ids of their own, whatever is in them, and the index that is advised for them can be made and is used.
func TestInitMakesIDsOfCompositeKeys(t *testing.T) {
	const statements = `CREATE TABLE contacts (tenant varchar(20) NOT NULL, no varchar(20) NOT NULL, name varchar(80), phone varchar(40), updated_at timestamp NOT NULL, PRIMARY KEY (tenant, no));
INSERT INTO contacts VALUES ('N-1', '7', 'Anna', '+49 30 1234561', '2026-01-02 10:00:00'), ('N', '1-7', 'Bernd', '+49 30 1234562', '2026-01-02 10:00:00'),
	('a:', 'b', 'Cem', '+49 30 1234563', '2026-01-02 10:00:00'), ('a', ':b', 'Dora', '+49 30 1234564', '2026-01-02 10:00:00'), ('a~1', 'b', 'Eva', '+49 30 1234565', '2026-01-02 10:00:00'),
	('', '', 'Fay', '+49 30 1234566', '2026-01-02 10:00:00'), ('', 'x', 'Gil', '+49 30 1234567', '2026-01-02 10:00:00'), ('~', '', 'Hal', '+49 30 1234568', '2026-01-02 10:00:00');
`
	want := []string{
		":x|Gil||+49301234567|", ":|Fay||+49301234566|", "N-1:7|Anna||+49301234561|", "N:1-7|Bernd||+49301234562|", "a::b|Dora||+49301234564|", "a~01:b|Eva||+49301234565|",
		"a~1:b|Cem||+49301234563|", "~0:|Hal||+49301234568|",
	}
	for kind, k := range databaseKinds {
		t.Run(kind, func(t *testing.T) {
			text, stdout := initialize(t, append([]string{kind}, k.open(t, statements)...)...)
			if diff := cmp.Diff(want, served(t, text)); diff != "" {
				t.Error(diff, text, stdout)
			}
		})
	}
	t.Run("null", func(t *testing.T) {
		file := sqliteFile(t, strings.ReplaceAll(statements, " NOT NULL, n", ", n")+"INSERT INTO contacts VALUES (NULL, 'x', 'Ida', '+49 30 1234569', '2026-01-02 10:00:00'), ('~', NULL, 'Jo', '+49 30 1234560', '2026-01-02 10:00:00');")
		text, stdout := initialize(t, "sqlite", "--path", file)
		if got := served(t, text); len(got) != 10 {
			t.Errorf("%q\n%s\n%s", got, text, stdout)
		}
	})
}

// adviceIn returns the statement that makes an index which a text advises; it may go over several lines.
func adviceIn(text string) string {
	m := regexp.MustCompile(`(?m)^( +)CREATE INDEX .*\n(?: +\S.*\n)*`).FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	var lines []string
	for line := range strings.Lines(m[0]) {
		if !strings.HasPrefix(line, m[1]) || strings.HasPrefix(line, m[1]+" ") {
			break
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	return strings.Join(lines, " ")
}

// An index that is advised can be created, and is the one that was missing.
func TestTheIndexThatInitAdvisesCanBeMade(t *testing.T) {
	for name, columns := range map[string]string{
		"texts": "a varchar(20) NOT NULL, b varchar(20) NOT NULL", "numbers": "a integer NOT NULL, b bigint NOT NULL", "a number and a text": "a integer NOT NULL, b varchar(20) NOT NULL",
	} {
		statements := "CREATE TABLE contacts (" + columns + ", name varchar(80), phone varchar(40), updated_at timestamp NOT NULL, PRIMARY KEY (a, b));\n" +
			"INSERT INTO contacts VALUES ('1', '7', 'Anna', '+49 30 1234561', '2026-01-02 10:00:00');\n"
		t.Run("postgres, "+name, func(t *testing.T) {
			db := server.Database(t, statements)
			_, stdout := initialize(t, "postgres", "--dsn", db.User(t))
			index := adviceIn(stdout)
			if index == "" {
				t.Fatal("no index is advised:", stdout)
			}
			db.Exec(t, index)
			if _, stdout := initialize(t, "postgres", "--dsn", db.User(t)); adviceIn(stdout) != "" {
				t.Errorf("%s\nis of no use:\n%s", index, stdout)
			}
		})
		t.Run("sqlite, "+name, func(t *testing.T) {
			file := sqliteFile(t, statements)
			_, stdout := initialize(t, "sqlite", "--path", file)
			index := adviceIn(stdout)
			if index == "" {
				t.Fatal("no index is advised:", stdout)
			}
			db, err := sql.Open("sqlite", file)
			if err == nil {
				_, err = db.Exec(index)
			}
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatal(index, err)
			}
			if _, stdout := initialize(t, "sqlite", "--path", file); adviceIn(stdout) != "" {
				t.Errorf("%s\nis of no use:\n%s", index, stdout)
			}
		})
	}
}

// Only flags that exist are advised.
func TestInitAdvisesFlagsThatExist(t *testing.T) {
	root := newRootCommand(nil)
	for _, c := range []struct{ kind, key, want string }{
		{"carddav", "books", "--set books=NAME"}, {"ldap", "base", "--base NAME"}, {"postgres", "table", "--table NAME"}, {"xlsx", "sheet", "--sheet NAME"}, {"hubspot", "auth.nothing", "--set auth.nothing=NAME"},
	} {
		kind, ok := kinds.Named(c.kind)
		r := &setupRun{cmd: root, draft: setup.Draft{Kind: kind}}
		if got := r.option(c.key, "NAME"); !ok || got != c.want {
			t.Errorf("%s: %s, want %s", c.kind, got, c.want)
		}
	}
}

// An index that cannot be made is not advised.
func TestInitAdvisesNoIndexThatCannotBeMade(t *testing.T) {
	const statements = `CREATE TABLE contacts (a varchar(20) NOT NULL, b date NOT NULL, name varchar(80), phone varchar(40), updated_at timestamp NOT NULL, PRIMARY KEY (a, b));
CREATE VIEW people AS SELECT a AS id, name, phone, updated_at FROM contacts;
INSERT INTO contacts VALUES ('1', '2026-01-01', 'Anna', '+49 30 1234561', '2026-01-02 10:00:00');
`
	postgres := []string{"postgres", "--dsn", server.Database(t, statements).User(t), "--table", "contacts"}
	for _, id := range []string{"concat_ws('-', a, name)", "a || ':' || CAST(b AS text)"} {
		if _, stdout := initialize(t, append(slices.Clone(postgres), "--id", id)...); adviceIn(stdout) != "" || !strings.Contains(stdout, "PostgreSQL makes no index on") {
			t.Error(stdout)
		}
	}
	if _, stdout := initialize(t, "sqlite", "--path", sqliteFile(t, statements), "--table", "people", "--id", "id"); adviceIn(stdout) != "" || !strings.Contains(stdout, "no index") {
		t.Error(stdout)
	}
}

// What listens and says nothing is no database, and not one that lacks an index.
func TestInitGivesUpOnWhatIsNoDatabase(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, dsn := range []string{"mysql://reader:secret@" + listener.Addr().String() + "/crm?timeout=100ms", "postgres://reader:secret@" + listener.Addr().String() + "/crm?connect_timeout=1"} {
		kind, _, _ := strings.Cut(dsn, ":")
		status, _, stderr := inProcess(t, "init", kind, "--dsn", dsn, "--yes", "-o", "-")
		if status != exitFailed || !strings.Contains(stderr, "the database cannot be reached") || strings.Contains(stderr, "index") || strings.Contains(stderr, "secret") {
			t.Errorf("%s: status %d, %s", kind, status, stderr)
		}
	}
}
