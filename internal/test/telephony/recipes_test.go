package telephony_test

import (
	"encoding/json"
	"encoding/xml"
	"html"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/contact"
)

// The telephone systems that cannot be installed here are asked for by their requests: each address in the recipes, as the
// product that it is for fills it in.
func TestTheAddressesOfTheRecipesNameTheCaller(t *testing.T) {
	text := page(t)
	hub := startHub(t)
	number, name := callerNumber(1), callerName(1)
	for product, recipe := range map[string]struct {
		address *regexp.Regexp // in the page, from the query on
		fill    *strings.Replacer
	}{
		"Asterisk": {regexp.MustCompile(`\$\{CURL\(http://127\.0\.0\.1:8090/callerid\?(\S+)\)\}\)`), strings.NewReplacer("${URIENCODE(${CALLERID(num)})}", url.QueryEscape(number))},
		"FreePBX":  {regexp.MustCompile("query\\s+`(number=\\S+)`"), strings.NewReplacer("[NUMBER]", url.QueryEscape(number), "TOKEN", token)},
		// It passes digits on and nothing else: see TestTheRecipeForFreeSWITCHNamesCallersFromAbroad.
		"FreeSWITCH": {regexp.MustCompile(`value="http://127\.0\.0\.1:8090/callerid\?(\S+?)"`), strings.NewReplacer("${caller_id_number}", strings.TrimPrefix(number, "+"), "TOKEN", token)},
		"Kamailio":   {regexp.MustCompile(`http_client_query\("http://127\.0\.0\.1:8090/callerid\?(\S+?)"`), strings.NewReplacer("$var(number)", url.QueryEscape(number))},
	} {
		found := recipe.address.FindStringSubmatch(text)
		if found == nil {
			t.Errorf("%s: its recipe holds no address", product)
			continue
		}
		query := recipe.fill.Replace(html.UnescapeString(found[1]))
		if strings.ContainsAny(query, "$[{") {
			t.Errorf("%s: %s is not filled in", product, query)
		}
		if got := ask(t, hub, query); got != name {
			t.Errorf("%s: %s names %q, want %q", product, query, got, name)
		}
	}
}

func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/telephony.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// In $["…" = ""] of a dial plan only a quote or a backslash ends the name too early, and ${ or $[ would be evaluated.
func TestTheRecipeForAsteriskTakesEveryName(t *testing.T) {
	text := page(t)
	for _, want := range []string{"exten => _[+0-9].,1,", "Set(CURLOPT(httptimeout)=1)", `GotoIf($["${NAME}" = ""]?dial)`} {
		if !strings.Contains(text, want) {
			t.Errorf("the recipe does not hold %s", want)
		}
	}
	hub := startHub(t)
	for n := range 10 {
		name := ask(t, hub, "number="+url.QueryEscape(callerNumber(n))+"&max=40")
		if name != nameShown(n) || strings.ContainsAny(name, "\"\\\r\n") || strings.Contains(name, "${") || strings.Contains(name, "$[") {
			t.Errorf("%s is %q, want %q", callerNumber(n), name, nameShown(n))
		}
	}
}

// FreePBX keeps 100 characters of the query.
func TestTheQueryForFreePBXLeavesRoomForAToken(t *testing.T) {
	found := regexp.MustCompile("query\\s+`(number=\\S+)`").FindStringSubmatch(page(t))
	if found == nil {
		t.Fatal("the recipe holds no query")
	}
	if longest := 100 - len(strings.ReplaceAll(found[1], "TOKEN", "")); longest != 71 {
		t.Errorf("a token may have %d characters, the page says 71", longest)
	}
}

// The dial plan matches the number with its +, and passes digits.
func TestTheRecipeForFreeSWITCHNamesCallersFromAbroad(t *testing.T) {
	text := page(t)
	condition := regexp.MustCompile(`expression="([^"]+)">\s*<action application="cidlookup" data="([^"]+)"/>\s*<!-- (\S+) `).FindStringSubmatch(text)
	if condition == nil {
		t.Fatal("the recipe holds no condition")
	}
	international := regexp.MustCompile(condition[1])
	numbers := []string{"+4722123456", "+442079460018", "+551135467788", "+81312345678", "+14155550001"}
	for region, prefixed := range map[string]string{"GB": condition[2], "US": condition[3]} {
		contacts := []contact.Contact{{ID: "other", Name: "Somebody Else", Phones: []string{"+14722123456"}}}
		for _, number := range numbers {
			contacts = append(contacts, contact.Contact{ID: number, Name: "Caller " + number, Phones: []string{number}})
		}
		hub := hubWith(t, region, "Caller "+numbers[0], numbers[0], contacts...)
		for _, number := range numbers {
			passed := international.ReplaceAllString(number, prefixed)
			if strings.ContainsAny(passed, "+$") {
				t.Errorf("%s: %s passes %s, not digits", region, number, passed)
			}
			if got := ask(t, hub, "number="+passed); got != "Caller "+number {
				t.Errorf("%s: %s, passed as %s, is named %q", region, number, passed, got)
			}
		}
	}
	if !strings.Contains(text, `<anti-action application="cidlookup" data="${caller_id_number}"/>`) {
		t.Error("a number without a + is not passed")
	}
}

// A template3CX is as much of 3CX's template as a lookup needs.
type template3CX struct {
	Request struct {
		URL     string `xml:"Url,attr"`
		Headers []struct {
			Key   string `xml:"Key,attr"`
			Value string `xml:",chardata"`
		} `xml:"Headers>Value"`
	} `xml:"Scenarios>Scenario>Request"`
	Rules     []string `xml:"Scenarios>Scenario>Rules>Rule"`
	Variables []struct {
		Name string `xml:"Name,attr"`
		Path string `xml:"Path,attr"`
	} `xml:"Scenarios>Scenario>Variables>Variable"`
	Outputs []struct {
		Type  string `xml:"Type,attr"`
		Value string `xml:"Value,attr"`
	} `xml:"Scenarios>Scenario>Outputs>Output"`
}

func TestTheTemplateFor3CXNamesTheCaller(t *testing.T) {
	text, err := os.ReadFile("../../../examples/telephony/3cx.xml")
	if err != nil {
		t.Fatal(err)
	}
	var template template3CX
	if err := xml.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	if h := template.Request.Headers; len(h) != 1 || h[0].Key != "Authorization" || h[0].Value != "Bearer [Token]" {
		t.Errorf("its headers are %v", h)
	}
	path, query, _ := strings.Cut(template.Request.URL, "?")
	if path != "[Hub]/callerid" {
		t.Errorf("it asks %s", path)
	}
	var answer map[string]string
	if err := json.Unmarshal([]byte(ask(t, startHub(t), strings.ReplaceAll(query, "[Number]", callerNumber(1)))), &answer); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for _, v := range template.Variables {
		if v.Name == "Name" || v.Name == "Number" {
			t.Errorf("3CX itself defines the variable %s", v.Name)
		}
		value, there := answer[v.Path]
		if !there {
			t.Errorf("variable %s: the answer has no %s", v.Name, v.Path)
		}
		values["["+v.Name+"]"] = value
	}
	for _, rule := range template.Rules {
		if answer[rule] == "" {
			t.Errorf("the answer has no %s", rule)
		}
	}
	outputs := map[string]string{}
	for _, o := range template.Outputs {
		value, there := values[o.Value]
		if !strings.HasPrefix(o.Value, "[") {
			value, there = o.Value, true
		}
		if !there {
			t.Errorf("output %s: unknown variable %s", o.Type, o.Value)
		}
		outputs[o.Type] = value
	}
	if outputs["FirstName"] != callerName(1) || outputs["PhoneBusiness"] != callerNumber(1) || outputs["EntityType"] != "Contacts" {
		t.Errorf("3CX is shown %v", outputs)
	}
}
