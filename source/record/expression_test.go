package record_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/contactbridge/contactbridge/source/record"
)

var exampleColumns = []string{
	"first", "last", "First Name", "E-mail 1 - Value", "a-b", "true", "phones", "org", "empty", "record", "active", "upper", "Größe",
}

var exampleValues = bytesOf(
	"Jane", " Doe ", "Janet", "jane@x.example", "AB", "T", `[{"type":"mobile","number":4930123},{"type":"fax","number":"+1 2"}]`,
	"Acme; Sales", "", "R", "0", "U", "170",
)

func bytesOf(texts ...string) [][]byte {
	var list [][]byte
	for _, text := range texts {
		list = append(list, []byte(text))
	}
	return list
}

func TestExpressions(t *testing.T) {
	for text, want := range map[string]string{
		// Names of columns, whatever else they could mean.
		"first": "Jane", "last": "Doe", "a-b": "AB", "true": "T", "record": "R", "upper": "U", "empty": "", "Größe": "170",
		"First Name": "Janet", "[First Name]": "Janet", "`First Name`": "Janet", "[first]": "Jane", "`true`": "T",
		"E-mail 1 - Value": "jane@x.example", "[E-mail 1 - Value]": "jane@x.example", "[a-b]": "AB",
		// Columns in expressions.
		`first + " " + last`:                 "Jane Doe",
		"[First Name] + `a-b` + upper(last)": "JanetABDOE",
		`record["First Name"] + record.last`: "JanetDoe",
		`record + upper`:                     "RU",
		`upper(upper)`:                       "U",
		`Größe + " cm"`:                      "170 cm",
		`true ? [a-b] : "no"`:                "AB", // the truth value where it stands in an expression
		"\"`first` [First Name]\"":           "`first` [First Name]",
		// Choose, default, constant.
		`empty ?? first`: "Jane", `empty ?? empty ?? "none"`: "none", `"Customer"`: "Customer",
		`empty ? "full" : "empty"`: "empty", `first ? "full" : "empty"`: "full", `active == "1" ? "yes" : "no"`: "no",
		`first == "Jane" and last != "Smith"`: "true", `not empty`: "true", `empty == nil`: "true", `nil != first`: "true",
		`if empty { "a" } else if first { "b" } else { "c" }`: "b", `empty || first`: "true",
		// Numbers.
		`Größe > 99`: "true", `Größe > "99"`: "false", `first < 5`: "false", `-1 + 3`: "2", `empty >= 0`: "false", `1.50 + "x"`: "1.5x",
		// Texts.
		`lower(first)`: "jane", `trim(" x ") + "y"`: "xy", `trimPrefix(first, "Ja")`: "ne", `trimSuffix(first, "ne")`: "Ja",
		`replace(org, "; ", "/")`: "Acme/Sales", `replace(org, "", "x")`: "Acme; Sales", `"Größe"[1:3]`: "rö", `first[-2:]`: "ne",
		`first[2:1]`: "", `first[:99]`: "Jane", `len("Größe")`: "5", `first startsWith "Ja"`: "true", `first endsWith "x"`: "false",
		`org contains "Sales"`: "true", `first matches "^J.*e$"`: "true", `phones matches "mobile"`: "true",
		// Lists.
		`split(org, ";")[0]`: "Acme", `split(org, ";")[1]`: "Sales", `split(org, ";")[2] ?? "none"`: "none", `split(org, ";")[-1]`: "Sales",
		`split(empty, ";") | len()`: "0", `join(["a", empty, "b"], "-")`: "a-b", `join(first, "-")`: "Jane", `join(["a", "b"])`: "ab",
		`first[0]`: "Jane", `first[1]`: "", `empty[0]`: "", `first(split(org, ";"))`: "Acme", `last(split(org, ";"))`: "Sales",
		`first(empty)`: "", `len(concat(first, empty, ["x", "y"]))`: "3", `uniq(["a", "b", "a"])`: "a, b", `["a", "b", "c"][1:]`: "b, c",
		`max(["9", 10, "8"])`: "10", `min(["b", empty, "a"])`: "a", `max(["2025-01-02", "2025-01-10"])`: "2025-01-10", `max(empty)`: "", `min(first)`: "Jane",
		`"b" in ["a", "b"]`: "true", `"b" in "b"`: "true", `"b" in empty`: "false", `"c" not in ["a"]`: "true",
		// JSON.
		`phones[0].number`: "4930123", `phones[1]["number"]`: "+1 2", `phones[9].number`: "", `phones?.number`: "",
		`map(filter(phones, .type == "mobile"), .number)`:         "4930123",
		`phones | filter(.type != "fax") | map(.number)`:          "4930123",
		`find(phones, .type == "fax").number`:                     "+1 2",
		`find(phones, .type == "pager").number ?? "none"`:         "none",
		`any(phones, .type == "fax")`:                             "true",
		`all(phones, .type == "fax")`:                             "false",
		`none(phones, #.type == "x")`:                             "true",
		`one(phones, .type == "fax")`:                             "true",
		`count(phones, .number)`:                                  "2",
		`count(phones)`:                                           "2",
		`last(filter(phones, .number)).type`:                      "fax",
		`map(phones, #index + 1)`:                                 "1, 2",
		`map(first, # + "!")`:                                     "Jane!",
		`phones[1]`:                                               `{"number":"+1 2","type":"fax"}`,
		`let m = find(phones, .type == "mobile"); "+" + m.number`: "+4930123",
	} {
		if got, err := evaluated(text, exampleColumns, exampleValues); got != want || err != nil {
			t.Errorf("%s = %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestMistakesInExpressionsAreToldWithTheirPlace(t *testing.T) {
	columns := []string{"name", "Phone 1", "note", "twice", "twice"}
	for text, want := range map[string]record.FieldError{
		"nmae":                     {Message: `Unknown column "nmae"`, Hint: `Did you mean "name"?`},
		"Phnoe 1":                  {Message: `Unknown column "Phnoe 1"`, Hint: `Did you mean "Phone 1"?`},
		"E-mail 1 - Value":         {Message: `Unknown column "E-mail 1 - Value"`, Hint: "The columns are name, Phone 1"},
		"name matches note":        {Message: `Unknown column "name matches note"`},
		"`Phnoe 1`":                {Message: `Unknown column "Phnoe 1"`, Hint: `Did you mean "Phone 1"?`},
		"true":                     {Message: `Unknown column "true"`},
		"5":                        {Message: `Unknown column "5"`},
		"$env":                     {Message: `Unknown column "$env"`},
		"twice":                    {Message: `Two columns have the name "twice"`},
		`twice + "x"`:              {Message: `Two columns have the name "twice"`, At: 1},
		`name + nmae + "x"`:        {Message: `Unknown column "nmae"`, Hint: "A fixed text stands in quotes.", At: 8},
		"`Phone 1` + `x y`":        {Message: `Unknown column "x y"`, At: 13},
		"`Phone 1` + \"ö\" + xx":   {Message: `Unknown column "xx"`, At: 19},
		"name + `x":                {Message: "A name in backticks does not end", At: 8},
		`record["x"]`:              {Message: `Unknown column "x"`, At: 8},
		`record[name]`:             {Message: "The column must be named"},
		`uper(name)`:               {Message: `Unknown function "uper"`, Hint: `Did you mean "upper"?`, At: 1},
		`$get(name, 0)`:            {Message: `Unknown function "$get"`, At: 1},
		`findLast(name, # == "x")`: {Message: `Unknown function "findLast"`, At: 1},
		`now()`:                    {Message: `Unknown function "now"`, At: 1},
		`repeat(name, 9)`:          {Message: `Unknown function "repeat"`, At: 1},
		`reduce([1], #acc + #)`:    {Message: `Unknown function "reduce"`, At: 1},
		`upper(name, name)`:        {Message: "upper cannot be given 2 values", Hint: "Write upper(text).", At: 1},
		`map(1..9, # + name)`:      {Message: "The operator .. is not supported"},
		`name * "2"`:               {Message: "The operator * is not supported", At: 6},
		`name + `:                  {Message: "The expression ends too early"},
		`(name + "x"`:              {Message: "The expression ends too early"},
		`name "x"`:                 {Message: `Unexpected "x"`, At: 6},
		`name matches (note)`:      {Message: "matches needs a fixed text on its right"},
		`name matches "("`:         {Message: "Error parsing regexp: missing closing ): `(`"},
		`let name = "x"; name`:     {Message: `The variable "name" has the name of a column, or one that is reserved`},
		`let $1 = "x"; name`:       {Message: `The variable "$1" has the name of a column, or one that is reserved`},
		`{"a": name}`:              {Message: "This is not supported in an expression"},
		`name; note`:               {Message: "This is not supported in an expression"},
		`b"x" + name`:              {Message: "This is not supported in an expression"},
		`name.foo()`:               {Message: "This is not a function"},
		`map(name, #acc)`:          {Message: "Unknown name #acc"},
		`"constant"`:               {Message: "The expression uses no column"},
	} {
		_, err := record.Compiler{}.Expression("id", text, columns)
		got, ok := errors.AsType[*record.FieldError](err)
		if !ok {
			t.Errorf("%s: %v, want %v", text, err, want)
			continue
		}
		if got.Path != "id" || got.Message != want.Message || !strings.Contains(got.Hint, want.Hint) || want.At > 0 && got.At != want.At {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
}

func TestWhatIsNoMistakeBeforeTheColumnsAreKnown(t *testing.T) {
	for text, mistake := range map[string]bool{
		"First Name": false, "E-mail (work": false, "Phone(home)": false, "`a \"b\"`": false, `first + " " + last`: false,
		"`First Name` ?? last": false, "[First Name] + \"x\"": false, `uper(name) + "x"`: true, `name + "x`: true, `name ?? `: true,
		`name ?? [x y]`: false, `name ?? ["a" "b"]`: true,
		"What is your name??": false, `Full "Name"`: false, `Size 5"`: false, `"A" or "B"?`: false, `uper(name) ?? "x"`: true,
	} {
		err := record.Compiler{}.Check(record.Fields{Name: text})
		if (err != nil) != mistake {
			t.Errorf("%s: %v, want a mistake: %t", text, err, mistake)
		}
	}
}

func TestExpressionsAreBounded(t *testing.T) {
	long := strings.Repeat("x", 2000)
	list := `["` + strings.Repeat(`a","`, 1000) + `b"]`
	limits := record.Limits{Length: 400, Nodes: 60, Text: 20_000, Elements: 5000, Time: 50 * time.Millisecond}
	for text, want := range map[string]string{
		strings.Repeat("a + ", 101) + "a":                                    "has 405 characters",
		strings.Repeat("a+", 61) + "a":                                       "too long",
		strings.Repeat("(", 399) + "a":                                       "too early",
		`let x = a + a; let y = x + x; let z = y + y; z + z`:                 "bytes of text",
		`replace(a, "x", a)`:                                                 "bytes of text",
		`join(l, a)`:                                                         "bytes of text",
		`let x = concat(l, l); let y = concat(x, x); concat(y, y)`:           "elements",
		`split(replace(a, "x", "x;"), ";") | map(l)`:                         "too much",
		`map(l, map(l, #))`:                                                  "too much",
		`count(l, any(l, any(l, # == "c")))`:                                 "more than 50ms",
		`upper(a) + upper(a) + lower(a) + lower(a) + upper(a) + a[0:] + "x"`: "bytes of text",
	} {
		e, err := record.Compiler{Limits: limits}.Expression("fields.name", text, []string{"a", "l"})
		if err == nil {
			var row record.Row
			began := time.Now()
			_, err = e.Text(&row, bytesOf(long, list))
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("%s took %v", text, took)
			}
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", text, err, want)
		}
	}
}

func TestFieldsOfExpressions(t *testing.T) {
	fields := record.Fields{
		Name: `first + " " + last`, Title: `"Customer"`, Company: `split(org, ";")`, Phones: record.Expressions{"phones", `map(phones, .number)`, "phones"},
		Emails: record.Expressions{"E-mail 1 - Value", `"x@x.example"`, "empty"}, Websites: record.Expressions{`["a.example", ["b.example"]]`},
		URL: `["", "https://one.example", "https://two.example"]`, Country: `empty ?? "DE"`, Twitter: "empty",
		CustomFields: record.CustomFields{{Key: "Mobile", Expression: `find(phones, .type == "mobile").number`}, {Key: "None", Expression: "empty"}},
	}
	m, err := record.Compile(fields, exampleColumns)
	if err != nil {
		t.Fatal(err)
	}
	var row record.Row
	for range 2 { // the second time nothing of the first is left
		row.Start("17", false)
		if err := m.Fill(&row, exampleValues); err != nil {
			t.Fatal(err)
		}
	}
	want := `{"id":"17","name":"Jane Doe","title":"Customer","company":"Acme, Sales",` +
		`"emails":["jane@x.example","x@x.example"],"phones":["[{\"type\":\"mobile\",\"number\":4930123},{\"type\":\"fax\",\"number\":\"+1 2\"}]","4930123","+1 2"],` +
		`"websites":["a.example","b.example"],"url":"https://one.example","custom_fields":[{"key":"Mobile","value":"4930123"}]}`
	if got := string(row.Contact.AppendJSON(nil)); got != want || row.Contact.Country != "DE" {
		t.Errorf("got %s, %s\nwant %s", got, row.Contact.Country, want)
	}
	if diff := cmp.Diff([]int{2, 4, 5, 9, 10, 11, 12}, m.Unused()); diff != "" {
		t.Errorf("unused columns (-want +got):\n%s", diff)
	}
	if first := m.First(record.FieldEmails); first != 3 {
		t.Errorf("the first column of addresses is %d", first)
	}
}

func TestEveryMistakeOfFieldsIsTold(t *testing.T) {
	_, err := record.Compile(record.Fields{Name: "nmae", Phones: record.Expressions{"phone", "upper(x)"}}, []string{"name", "phone"})
	if err == nil || !strings.Contains(err.Error(), "fields.name: ") || !strings.Contains(err.Error(), "fields.phones[1]: ") {
		t.Errorf("got %v", err)
	}
}

func TestRecordWhoseExpressionFailsIsRejected(t *testing.T) {
	m, err := record.Compile(record.Fields{Name: `name + phones`}, []string{"name", "phones"})
	if err != nil {
		t.Fatal(err)
	}
	var row record.Row
	row.Start("1", false)
	err = m.Fill(&row, bytesOf("Jane", `["secret 1","secret 2"]`))
	found, ok := errors.AsType[*record.FieldError](err)
	if !ok || found.Path != "fields.name" || !strings.Contains(found.Message, "a list of 2 values") || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
	row.Start("2", false)
	if err := m.Fill(&row, bytesOf("Jane", "1")); err != nil || row.Contact.Name != "Jane1" {
		t.Errorf("the next record: %v, %q", err, row.Contact.Name)
	}
}

func TestUsualColumnsAreTakenWhereNoFieldIsMapped(t *testing.T) {
	columns := []string{"First Name", "Last Name", "Phone", "Phone", "Country", "note"}
	m, err := record.Compile(record.Fields{}, columns)
	if err != nil {
		t.Fatal(err)
	}
	var row record.Row
	row.Start("1", false)
	if err := m.Fill(&row, bytesOf("Jane", "", "1", "2", "Germany", "x")); err != nil {
		t.Fatal(err)
	}
	if c := row.Contact; c.Name != "Jane" || len(c.Phones) != 2 || c.Country != "Germany" {
		t.Errorf("got %+v", c)
	}
	for _, c := range m.Columns() {
		if !c.Auto {
			t.Errorf("%s is not said to be found by its name", c.Field)
		}
	}
}

func TestListsOfAFormatWhosePropertiesRepeat(t *testing.T) {
	fields := record.Fields{Name: "fn", Title: "title", Phones: record.Expressions{"tel"}}
	m, err := record.Compiler{Lists: true}.Mapper(fields, []string{"fn", "title", "tel"})
	if err != nil {
		t.Fatal(err)
	}
	var row record.Row
	row.Start("1", false)
	if err := m.Fill(&row, bytesOf(`["Jane Doe","J. Doe"]`, "[sic] Boss", `["1","2"]`)); err != nil {
		t.Fatal(err)
	}
	if c := row.Contact; c.Name != "Jane Doe, J. Doe" || c.Title != "[sic] Boss" || len(c.Phones) != 1 {
		t.Errorf("got %+v", c)
	}
}

func TestJSONThatSaysNothingLeavesItsFieldOut(t *testing.T) {
	fields := record.Fields{
		Name: "name", Title: "title", Company: `title ?? "none"`, Address: `join([title, "Rome"], ", ")`, Country: "title",
		CustomFields: record.CustomFields{{Key: "Title", Expression: "title"}},
	}
	m, err := record.Compiler{Lists: true}.Mapper(fields, []string{"name", "title"})
	if err != nil {
		t.Fatal(err)
	}
	for _, nothing := range []string{"[]", "{}", "[null]", `[""]`, "[{}]", `{"a":null}`, `{"a":{"b":[""]}}`} {
		var row record.Row
		row.Start("1", false)
		if err := m.Fill(&row, bytesOf("Jane", nothing)); err != nil {
			t.Fatal(err)
		}
		if c := row.Contact; c.Title != "" || c.Company != "none" || c.Address != "Rome" || c.Country != "" || len(c.CustomFields) > 0 {
			t.Errorf("%s: %+v", nothing, c)
		}
	}
}

func TestValuesAreCleanedBeforeUse(t *testing.T) {
	clean := func(value []byte) []byte { return []byte(strings.Trim(string(value), "= ")) }
	m, err := record.Compiler{Clean: clean}.Mapper(record.Fields{Name: "a", Title: `a + "!"`}, []string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	var row record.Row
	if err := m.Fill(&row, bytesOf(" =x= ")); err != nil || row.Contact.Name != "x" || row.Contact.Title != "x!" {
		t.Errorf("got %+v, %v", row.Contact, err)
	}
	if err := m.Fill(&row, nil); err != nil {
		t.Errorf("a record without values: %v", err)
	}
}

func TestPlainColumnsTakeNoMemory(t *testing.T) {
	fields := record.Fields{Name: "first", Emails: record.Expressions{"E-mail 1 - Value"}, Phones: record.Expressions{"phones", "Größe"}, URL: "[First Name]"}
	m, err := record.Compile(fields, exampleColumns)
	if err != nil {
		t.Fatal(err)
	}
	var row record.Row
	if n := testing.AllocsPerRun(100, func() {
		row.Start("1", false)
		if err := m.Fill(&row, exampleValues); err != nil {
			t.Error(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations a record", n)
	}
}

func FuzzExpression(f *testing.F) {
	for _, text := range []string{
		"first", "[First Name] + `a-b`", `map(phones, .number)[0] ?? "x"`, "\"`\" + '['", "let x = first; x", "[[[", "a.b?.c[1:2]", "`", "record[\"x\"]", "# ?: !",
	} {
		f.Add(text, "Jane", `[{"number":1}]`)
	}
	columns := []string{"first", "First Name", "a-b", "phones", ""}
	f.Fuzz(func(t *testing.T, text, value, list string) {
		hung := time.AfterFunc(10*time.Second, func() { panic(fmt.Sprintf("%q of %q and %q does not end", text, value, list)) })
		defer hung.Stop()
		compiler := record.Compiler{Limits: record.StrictLimits}
		_ = compiler.CheckText("fields.name", text)
		e, err := compiler.Expression("fields.name", text, columns)
		if err != nil {
			if found, ok := errors.AsType[*record.FieldError](err); !ok || found.Message == "" || found.At > len([]rune(text))+1 {
				t.Fatalf("%q: %#v", text, err)
			}
			return
		}
		var row record.Row
		values := bytesOf(value, value, list, list, list)
		first, err := e.Text(&row, values)
		if err != nil {
			if _, ok := errors.AsType[*record.FieldError](err); !ok {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if again, err := e.Text(&row, values); again != first || err != nil {
			t.Fatalf("%q is %q, then %q, %v", text, first, again, err)
		}
		if m, err := compiler.Mapper(record.Fields{Name: text, Phones: record.Expressions{text}}, columns); err != nil {
			t.Fatalf("%q is an expression, but no field: %v", text, err)
		} else if err := m.Fill(&row, values); err != nil {
			t.Fatalf("%q is %q, but cannot be put into a field: %v", text, first, err)
		}
	})
}

func BenchmarkFill(b *testing.B) {
	for name, fields := range map[string]record.Fields{
		"columns": {
			Name: "First Name", Company: "org", Emails: record.Expressions{"E-mail 1 - Value"}, Phones: record.Expressions{"Größe"}, Title: "a-b",
		},
		"expressions": {
			Name: `first + " " + last`, Company: `split(org, ";")[0]`, Emails: record.Expressions{"lower(`E-mail 1 - Value`)"},
			Phones: record.Expressions{"Größe"}, Title: `empty ?? "Customer"`,
		},
		"lists": {Name: "first", Phones: record.Expressions{`map(filter(phones, .type != "fax"), .number)`}},
	} {
		m, err := record.Compile(fields, exampleColumns)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			var row record.Row
			b.ReportAllocs()
			for b.Loop() {
				row.Start("1", false)
				if err := m.Fill(&row, exampleValues); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Numbers and truth values of JSON are no texts: they are compared, and judged, as what they are. Texts that look alike stay texts.
func TestNumbersAndTruthValuesOfJSON(t *testing.T) {
	columns := []string{"one", "ten", "nine", "big", "bigger", "no", "yes", "zero", "code", "version", "word", "list", "items"}
	bare := []bool{true, true, true, true, true, true, true, true}
	values := bytesOf("1.0", "10", "9", "9007199254740992", "9007199254740993", "false", "true", "-0.0", "007", "1.10", "false",
		`[1, 10, 9, 2]`, `[{"n": 12.50, "ok": false}, {"n": "12.5", "ok": true}]`)
	m := map[string]string{
		`one == 1`: "true", `one != 1`: "false", `1 == one`: "true", `one == "1"`: "true", `one in [1]`: "true", `one < 1.5`: "true",
		`ten > nine`: "true", `nine < ten`: "true", `ten == 1e1`: "true", `max([ten, nine])`: "10", `max(list)`: "10", `min(list)`: "1",
		`list[1] > list[2]`: "true", `big == bigger`: "false", `big < bigger`: "true", `bigger == 9007199254740993`: "true", `zero == 0`: "true",
		`code == 7`: "true", `code == "7"`: "false", `code < 8`: "true", `7 in [code]`: "true", `"007" == 7`: "true", `version == "1.1"`: "false", `version == 1.1`: "true",
		`items[0].n == items[1].n`: "true", `map(items, .n)`: "12.50, 12.5", `items[0].n + "!"`: "12.50!", `len(ten)`: "2", `upper(ten)`: "10",
		`no ? "y" : "n"`: "n", `not no`: "true", `yes ? "y" : "n"`: "y", `no == "false"`: "true", `no == false`: "true", `word ? "y" : "n"`: "y",
		`find(items, .ok).n`: "12.5", `items[0].ok ? "y" : "n"`: "n", `one == "x"`: "false", `word == 1`: "false", `nine == nil`: "false",
		`one + one`: "1.01.0", `join([ten, nine], "-")`: "10-9", `zero ? "y" : "n"`: "y",
	}
	for text, want := range m {
		mapper, err := record.Compile(record.Fields{Name: text}, columns)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		row := record.Row{Bare: bare}
		row.Start("1", false)
		if err := mapper.Fill(&row, values); err != nil || row.Contact.Name != want {
			t.Errorf("%s = %q, %v, want %q", text, row.Contact.Name, err, want)
		}
	}
}

// Numbers are compared digit by digit, however they are written.
func TestNumbersAreComparedExactly(t *testing.T) {
	ascending := []string{"-1e400", "-100", "-99.5", "-1e-400", "0", "1e-400", "0.001", "0.0011", "1", "1.000000000000000000001", "9", "10", "99999999999999999998", "99999999999999999999", "1e400", "1e99999999999999999999"}
	for i, a := range ascending {
		for j, b := range ascending {
			list := `[` + a + `, ` + b + `]`
			for operator, want := range map[string]bool{"<": i < j, "==": i == j, ">": i > j} {
				m, err := record.Compile(record.Fields{Name: "list[0] " + operator + " list[1]"}, []string{"list"})
				if err != nil {
					t.Fatal(err)
				}
				var row record.Row
				row.Start("1", false)
				if err := m.Fill(&row, bytesOf(list)); err != nil || row.Contact.Name != fmt.Sprint(want) {
					t.Errorf("%s %s %s: %s, %v", a, operator, b, row.Contact.Name, err)
				}
			}
		}
	}
}
