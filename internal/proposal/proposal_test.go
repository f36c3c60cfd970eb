package proposal_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/proposal"
)

// toy is a language that is easy to read.
type toy struct{}

func (toy) Column(name string) string { return name }
func (toy) Join(separator string, parts []string) string {
	return strings.Join(parts, " +'"+separator+"'+ ")
}
func (toy) Of(thing, column string) string       { return thing + "." + column }
func (toy) Thing(name string) string             { return name }
func (toy) List(expression, order string) string { return "list(" + expression + " by " + order + ")" }
func (toy) Text(expression string) string        { return expression }
func (toy) Concat(parts []string) string         { return strings.Join(parts, " & ") }
func (toy) Value(text string) string             { return "'" + text + "'" }

var _ proposal.SQL = toy{}

// table makes a table of columns such as "id int pk", "phone", "deleted bool", and of samples with | between the values.
func table(name string, rows int64, columns string, samples ...string) proposal.Thing {
	t := proposal.Thing{Name: name, Rows: rows}
	for text := range strings.SplitSeq(columns, ", ") {
		words := strings.Fields(text)
		c := proposal.Column{Name: words[0], Type: "text"}
		for _, word := range words[1:] {
			switch word {
			case "pk":
				t.Primary = append(t.Primary, c.Name)
			case "int":
				c.Is, c.Type = proposal.Integer, "int"
			case "time":
				c.Is, c.Type = proposal.Time, "timestamp"
			case "bool":
				c.Is, c.Type = proposal.Bool, "boolean"
			case "stamped":
				c.Stamped = true
			case "unique":
				t.Unique = append(t.Unique, []string{c.Name})
			case "index":
				t.Indexes = append(t.Indexes, []string{c.Name})
			default:
				to, column, _ := strings.Cut(strings.TrimPrefix(word, ">"), ".")
				t.References = append(t.References, proposal.Reference{Columns: []string{c.Name}, To: to, ToColumns: []string{column}})
			}
		}
		t.Columns = append(t.Columns, c)
	}
	for _, s := range samples {
		t.Samples = append(t.Samples, strings.Split(s, "|"))
	}
	return t
}

func database(tables ...proposal.Thing) proposal.Inventory {
	return proposal.Inventory{Noun: "table", Key: "table", Things: tables, Language: toy{}}
}

// settings returns what is proposed as "key: value", without the reasons.
func settings(p proposal.Proposal) []string {
	var list []string
	for _, s := range p.Settings {
		list = append(list, fmt.Sprintf("%s: %v", s.Key, s.Value))
	}
	return list
}

func propose(t *testing.T, inv proposal.Inventory, wish proposal.Wish, want ...string) proposal.Proposal {
	t.Helper()
	p, err := proposal.Of(inv, wish)
	if err != nil {
		t.Fatalf("%v (%s)", err, failure.Of(err).Hint)
	}
	if diff := cmp.Diff(want, settings(p)); diff != "" {
		t.Error(diff)
	}
	return p
}

func says(p proposal.Proposal, text string) bool {
	return slices.ContainsFunc(p.Problems, func(p proposal.Problem) bool { return strings.Contains(p.Message, text) })
}

func TestTheTableOfCustomersIsTaken(t *testing.T) {
	p := propose(t, database(
		table("employee", 8, "employee_id int pk, first_name, last_name, phone, email"),
		table("customer_log", 90000, "id int pk, customer_name, phone, email"),
		table("invoice", 400, "invoice_id int pk, customer_id int >customer.customer_id, billing_city"),
		table("customer", 59, "customer_id int pk, first_name, last_name, phone, fax, email, support_rep_id int >employee.employee_id"),
		table("contacts_old", 0, "id int pk, name, phone"),
	), proposal.Wish{},
		"table: customer", "id: customer_id", "fields.name: first_name +' '+ last_name", "fields.emails: [email]", "fields.phones: [phone]")
	if p.Why != "59 rows, names, phone numbers, e-mail addresses" || len(p.Others) != 3 {
		t.Errorf("%s; others: %v", p.Why, p.Others)
	}
	propose(t, database(table("employee", 8, "id int pk, name, phone"), table("customer", 9, "id int pk, name, phone")), proposal.Wish{Things: []string{"Employee"}},
		"table: employee", "id: id", "fields.name: name", "fields.phones: [phone]")
}

func TestNumbersInASideTableAreListed(t *testing.T) {
	inv := database(
		table("person", 20, "id int pk, name, updated_at time stamped", "1|Ann|2026-01-01", "2|Ben|2026-01-02"),
		table("phones", 35, "id int pk, person_id int index >person.id, number, deleted bool", "1|1|+49 30 1234567|f"),
	)
	p := propose(t, inv, proposal.Wish{},
		"table: person", "id: id", "fields.name: name",
		"fields.phones: [(SELECT list(phones.number by phones.id) FROM phones WHERE phones.person_id = person.id AND phones.deleted IS NOT TRUE)]")
	if !says(p, "updated is left out: updated_at does not tell of changes in phones") || says(p, "has no index") {
		t.Error(p.Problems)
	}
	inv.Things[1].Indexes = nil
	inv.Things[1].References = nil // it is told by its name then
	if p, err := proposal.Of(inv, proposal.Wish{}); err != nil || !says(p, "has no index on person_id") || len(p.Settings) != 4 {
		t.Error(p.Settings, p.Problems, err)
	} else if text := fmt.Sprint(p.Problems); !strings.Contains(text, "CREATE INDEX phones_person_id ON phones (person_id)") {
		t.Error("it does not say how to make the index:", text)
	}
}

func TestASideTableWithTypesIsTakenApart(t *testing.T) {
	p := propose(t, database(
		table("people", 3, "id int pk, full_name", "1|Ann", "2|Ben", "3|Cy"),
		table("contact_methods", 6, "id int pk, person_id int index >people.id, kind, value",
			"1|1|mobile|+49 170 1234567", "2|1|email|ann@example.com", "3|2|work|030 123456", "4|2|fax|030 123457", "5|3|email|cy@example.com", "6|3|web|https://example.com"),
	), proposal.Wish{},
		"table: people", "id: id", "fields.name: full_name",
		"fields.emails: [(SELECT list(contact_methods.value by contact_methods.id) FROM contact_methods WHERE contact_methods.person_id = people.id AND contact_methods.kind IN ('email'))]",
		"fields.phones: [(SELECT list(contact_methods.value by contact_methods.id) FROM contact_methods WHERE contact_methods.person_id = people.id AND contact_methods.kind IN ('mobile', 'work'))]")
	if !says(p, "rows of table contact_methods with these values of kind are not taken: fax, web") || !p.National {
		t.Error(p.Problems, p.National)
	}
}

func TestColumnsAreToldByTheirValues(t *testing.T) {
	p := propose(t, database(table("kunden", 40, "kd_nr int pk, kd_bez_name, kd_erreichbar, kd_post, kd_tel bool, kd_umsatz, kd_land, kd_seit",
		"1|Anna|+49 30 123456|anna@example.com|t|12.50|DE|2020-01-02", "2|Ben|030/9876543|ben@example.com|f|99.00|Frankreich|2021-03-04",
		"3|Cem|(089) 1234-56|cem@example.com|f|0|AT|2022-05-06")), proposal.Wish{},
		"table: kunden", "id: kd_nr", "fields.name: kd_bez_name", "fields.emails: [kd_post]", "fields.phones: [kd_erreichbar]", "fields.country: kd_land")
	if !says(p, "column kd_tel is not taken for phones: its type is boolean") || p.National {
		t.Error(p.Problems, p.National)
	}
}

func TestDeletedAndUpdatedAreTakenWithTheirReasons(t *testing.T) {
	columns := "id int pk, name, phone, created_at time, updated_at time, deleted bool"
	p := propose(t, database(table("clients", 5, columns, "1|A|1234|2026-01-01|2026-01-02|f")), proposal.Wish{},
		"table: clients", "id: id", "updated: updated_at", "deleted: deleted", "fields.name: name", "fields.phones: [phone]")
	if !says(p, "updated is updated_at by its name: check that your program moves it") {
		t.Error(p.Problems)
	}
	propose(t, database(table("clients", 5, columns, "1|A|1234|2026-01-01||f", "2|B|1235|2026-01-01|2026-01-02|f")), proposal.Wish{},
		"table: clients", "id: id", "updated: coalesce(updated_at, created_at)", "deleted: deleted", "fields.name: name", "fields.phones: [phone]")
	p = propose(t, database(table("clients", 5, "id int pk, name, phone, updated_at time", "1|A|1234|", "2|B|1235|2026-01-02")), proposal.Wish{},
		"table: clients", "id: id", "fields.name: name", "fields.phones: [phone]")
	if !says(p, "updated is left out: updated_at is empty in some of the first rows") {
		t.Error(p.Problems)
	}
}

func TestWishesCountMore(t *testing.T) {
	propose(t, database(table("clients", 5, "id int pk, code, name, phone, mobile, updated_at time")), proposal.Wish{Settings: []proposal.Setting{
		{Key: "id", Value: "code"}, {Key: "updated", Value: ""}, {Key: "fields.phones", Value: []string{"mobile"}}, {Key: "fields.title", Value: "'x'"},
	}}, "table: clients", "id: code", "fields.name: name", "fields.title: 'x'", "fields.phones: [mobile]")
}

func TestAKindThatKnowsItsRecordsNeedsNoMapping(t *testing.T) {
	books := proposal.Inventory{Noun: "address book", Key: "books", Many: true, Things: []proposal.Thing{
		{Name: "/shared/", Ready: true, Score: 50, Rows: 900, Why: "it is shared"},
		{Name: "/jane/", Ready: true, Score: 100, Rows: 12, Why: "it is the default address book", Settings: []proposal.Setting{{Key: "depth", Value: 1}}},
	}}
	propose(t, books, proposal.Wish{}, "books: [/jane/]", "depth: 1")
	propose(t, books, proposal.Wish{Things: []string{"/shared/", "/jane/"}}, "books: [/shared/ /jane/]", "depth: 1")
}

func TestColumnsOfAFileAreNamesOrExpressions(t *testing.T) {
	p := propose(t, proposal.Inventory{Noun: "sheet", Key: "sheet", Things: []proposal.Thing{
		{Name: "Notes", Rows: 2, Columns: []proposal.Column{{Name: "Note"}}},
		{
			Name: "Contacts", Rows: 3, ID: "Customer No", WhyID: "its usual name", Columns: []proposal.Column{{Name: "Customer No"}, {Name: "First Name"}, {Name: "Last Name"}, {Name: "Phone"}},
			Samples: [][]string{{"1", "Ann", "Lee", "+1 415 555 0100"}, {"2", "Ben", "Day", "+1 415 555 0101"}, {"3", "Cy", "Fox", "+1 415 555 0102"}},
		},
	}}, proposal.Wish{}, "sheet: Contacts", "id: Customer No", "fields.name: join([`First Name`, `Last Name`], \" \")", "fields.phones: [Phone]")
	if p.National || p.Region != "US" {
		t.Errorf("national %t, region %q", p.National, p.Region)
	}
}

func TestWhatCannotBeProposedIsSaid(t *testing.T) {
	for text, c := range map[string]struct {
		inv  proposal.Inventory
		wish proposal.Wish
	}{
		"there is no table that could be read":                            {database(), proposal.Wish{}},
		"no table looks as if it holds contacts":                          {database(table("genre", 9, "id int pk, name"), table("film", 9, "id int pk, name")), proposal.Wish{}},
		"there is no table \"kunden\"":                                    {database(table("genre", 9, "id int pk, name")), proposal.Wish{Things: []string{"kunden"}}},
		"one table is read at a time":                                     {database(), proposal.Wish{Things: []string{"a", "b"}}},
		"table leads has no column that identifies a contact for certain": {database(table("leads", 9, "name, phone", "a|1234", "a|1235")), proposal.Wish{}},
	} {
		_, err := proposal.Of(c.inv, c.wish)
		if err == nil || !strings.HasPrefix(err.Error(), text) {
			t.Errorf("%v, want %s", err, text)
		}
	}
}

// Names, deletions and companies are found by words that are not the most usual ones, and names by what they look like.
func TestNamesAreFoundWhereNoColumnIsCalledSo(t *testing.T) {
	propose(t, database(table("phonelist", 3, "nr int pk, dept, person, direct_line", "1|Sales|Ann Lee|+49 30 1234561", "2|Legal|Ben Day|+49 30 1234562")), proposal.Wish{},
		"table: phonelist", "id: nr", "fields.name: person", "fields.phones: [direct_line]")
	propose(t, database(table("list", 3, "nr int pk, dept, who, job_title, reach", "1|Sales|Ann Lee|Head Cook|+49 30 1234561", "2|Legal|Ben van der Day|Chief Cook|+49 30 1234562",
		"3|Legal|Zoë O’Neill-Fox|Tax Adviser|+49 30 1234563")), proposal.Wish{},
		"table: list", "id: nr", "fields.name: who", "fields.title: job_title", "fields.phones: [reach]")
	propose(t, database(table("list", 3, "nr int pk, contact_id, contact_person, firm, is_removed bool, phone", "1|a-1|Ann|Fox & Co|f|+49 30 1234561")), proposal.Wish{},
		"table: list", "id: nr", "deleted: is_removed", "fields.name: contact_person", "fields.company: firm", "fields.phones: [phone]")
	records := table("", 2, "leadId, person.given, person.family, numbers", `1|Ann|Lee|["+49 30 1234561","+49 171 1234561"]`, `2|Ben|Day|["+49 30 1234562"]`)
	records.ID = "auto"
	p := propose(t, proposal.Inventory{Noun: "file", Things: []proposal.Thing{records}}, proposal.Wish{},
		"id: leadId", "fields.name: join([`person.given`, `person.family`], \" \")", "fields.phones: [numbers]")
	if len(p.Problems) > 0 {
		t.Error(p.Problems)
	}
}

// The values of a side table are told from its labels whatever their column is called, so that fax numbers are left out.
func TestTheValuesOfASideTableAreFoundByWhatTheyAre(t *testing.T) {
	propose(t, database(
		table("people", 2, "id int pk, full_name", "1|Ann", "2|Ben"),
		table("people_phones", 3, "id int pk, person_id int index >people.id, kind, digits", "1|1|work|+49 30 1234567", "2|1|fax|+49 30 1234568", "3|2|mobile|+49 170 1234567"),
	), proposal.Wish{},
		"table: people", "id: id", "fields.name: full_name",
		"fields.phones: [(SELECT list(people_phones.digits by people_phones.id) FROM people_phones WHERE people_phones.person_id = people.id AND people_phones.kind IN ('mobile', 'work'))]")
}

// Commas stand between the names of several things, and in names.
func TestNamesWithCommas(t *testing.T) {
	books := proposal.Inventory{Many: true, Things: []proposal.Thing{{Name: "a"}, {Name: "Kunden, Partner"}, {Name: "/dav/b"}}}
	sheets := proposal.Inventory{Things: books.Things}
	for text, want := range map[string][]string{
		"a": {"a"}, "a,/dav/b": {"a", "/dav/b"}, "a, /dav/b": {"a", "/dav/b"}, "Kunden, Partner": {"Kunden, Partner"}, "kunden, partner": {"kunden, partner"},
		"a,Kunden, Partner,c": {"a", "Kunden, Partner", "c"}, "Kunden,a": {"Kunden", "a"},
	} {
		if got := books.Named(text); !slices.Equal(got, want) {
			t.Errorf("%q of many is %q, want %q", text, got, want)
		}
		if got := sheets.Named(text); !slices.Equal(got, []string{text}) {
			t.Errorf("%q is %q", text, got)
		}
	}
}

// The id of a key of several columns is another one for every key. Numbers need no escapes, and the last part none.
func TestTheIDOfACompositeKeyIsOneToOne(t *testing.T) {
	propose(t, database(table("contacts", 9, "a int pk, b int pk, name, phone")), proposal.Wish{}, "table: contacts", "id: a & ':' & b", "fields.name: name", "fields.phones: [phone]")
	propose(t, database(table("contacts", 9, "a int pk, b pk, name, phone")), proposal.Wish{}, "table: contacts", "id: a & ':' & b", "fields.name: name", "fields.phones: [phone]")
	propose(t, database(table("contacts", 9, "a pk, b pk, name, phone")), proposal.Wish{}, "table: contacts", "id: replace(replace(a, '~', '~0'), ':', '~1') & ':' & b", "fields.name: name", "fields.phones: [phone]")
	loose := table("contacts", 9, "a int pk, b int pk, name, phone")
	for n := range 2 {
		loose.Columns[n].Any, loose.Columns[n].Null = true, n == 1
	}
	propose(t, database(loose), proposal.Wish{}, "table: contacts",
		"id: replace(replace(a, '~', '~0'), ':', '~1') & ':' & coalesce(replace(replace(b, '~', '~0'), ':', '~1'), '~')", "fields.name: name", "fields.phones: [phone]")
}

// The rows of a side table belong to a contact where all columns of the foreign key agree, and what refers to the contact is no number.
func TestASideTableRefersByAllColumnsOfAKey(t *testing.T) {
	points := table("contact_points", 4, "tenant_id int pk, contact_no pk, kind pk, value", "1|c-1|mobile|+49 30 1234561", "1|c-1|email|ann@example.com", "2|c-1|mobile|+49 30 1234562", "2|c-1|email|ben@example.com")
	points.Primary = []string{"kind"}
	points.References = []proposal.Reference{{Columns: []string{"tenant_id", "contact_no"}, To: "contacts", ToColumns: []string{"tenant_id", "no"}}}
	contacts := table("contacts", 2, "tenant_id int pk, no pk, name, company_no", "1|c-1|Ann|7", "2|c-1|Ben|7")
	contacts.References = []proposal.Reference{{Columns: []string{"tenant_id", "company_no"}, To: "companies", ToColumns: []string{"tenant_id", "no"}}}
	list := func(kind string) string {
		return "[(SELECT list(contact_points.value by contact_points.kind) FROM contact_points WHERE contact_points.tenant_id = contacts.tenant_id AND contact_points.contact_no = contacts.no AND contact_points.kind IN ('" + kind + "'))]"
	}
	p := propose(t, database(table("companies", 2, "tenant_id int pk, no pk, name", "1|7|Fox", "2|7|Day"), contacts, points), proposal.Wish{},
		"table: contacts", "id: tenant_id & ':' & no", "fields.name: name",
		"fields.company: (SELECT companies.name FROM companies WHERE companies.tenant_id = contacts.tenant_id AND companies.no = contacts.company_no)",
		"fields.emails: "+list("email"), "fields.phones: "+list("mobile"))
	if !slices.ContainsFunc(p.Problems, func(p proposal.Problem) bool {
		return p.Hint == "CREATE INDEX contact_points_tenant_id_contact_no ON contact_points (tenant_id, contact_no) makes it quick."
	}) {
		t.Error(p.Problems)
	}
}

// A column that is empty in all rows is taken only where there is no other.
func TestAnEmptyColumnIsNotPreferred(t *testing.T) {
	propose(t, database(table("customers", 2, "id int pk, display_name, name, company_name, company, phone", "1||Ann||Fox|+49 30 1234561", "2||Ben||Day|+49 30 1234562")), proposal.Wish{},
		"table: customers", "id: id", "fields.name: name", "fields.company: company", "fields.phones: [phone]")
	propose(t, database(table("customers", 2, "id int pk, display_name, contact_person, phone", "1||Ann|+49 30 1234561", "2||Ben|+49 30 1234562")), proposal.Wish{},
		"table: customers", "id: id", "fields.name: contact_person", "fields.phones: [phone]")
	propose(t, database(table("customers", 2, "id int pk, display_name, phone, mobile", "1||+49 30 1234561|", "2||+49 30 1234562|")), proposal.Wish{},
		"table: customers", "id: id", "fields.name: display_name", "fields.phones: [phone mobile]")
}
