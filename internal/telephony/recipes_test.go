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
)

// The telephone systems that cannot be installed here are asked for by their requests: each address in the recipes, as the
// product that it is for fills it in.
func TestTheAddressesOfTheRecipesNameTheCaller(t *testing.T) {
	text, err := os.ReadFile("../../docs/telephony.md")
	if err != nil {
		t.Fatal(err)
	}
	hub := startHub(t)
	number, name := callerNumber(1), callerName(1)
	for product, recipe := range map[string]struct {
		address *regexp.Regexp // in the page, from the query on
		fill    *strings.Replacer
	}{
		"Asterisk": {regexp.MustCompile(`\$\{CURL\(http://127\.0\.0\.1:8090/callerid\?(\S+)\)\}\)`), strings.NewReplacer("${URIENCODE(${CALLERID(num)})}", url.QueryEscape(number))},
		// It puts the number in as it was dialled, and strips the + of none.
		"FreePBX": {regexp.MustCompile("query\\s+`(number=\\S+)`"), strings.NewReplacer("[NUMBER]", number, "TOKEN", token)},
		// It passes digits on and nothing else.
		"FreeSWITCH": {regexp.MustCompile(`value="http://127\.0\.0\.1:8090/callerid\?(\S+?)"`), strings.NewReplacer("${caller_id_number}", strings.TrimPrefix(number, "+"), "TOKEN", token)},
		"Kamailio":   {regexp.MustCompile(`http_client_query\("http://127\.0\.0\.1:8090/callerid\?(\S+?)"`), strings.NewReplacer("$var(number)", url.QueryEscape(number))},
	} {
		found := recipe.address.FindSubmatch(text)
		if found == nil {
			t.Errorf("%s: its recipe holds no address", product)
			continue
		}
		query := recipe.fill.Replace(html.UnescapeString(string(found[1])))
		if strings.ContainsAny(query, "$[{") {
			t.Errorf("%s: %s is not filled in", product, query)
		}
		if got := ask(t, hub, query); got != name {
			t.Errorf("%s: %s names %q, want %q", product, query, got, name)
		}
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
	text, err := os.ReadFile("../../examples/telephony/3cx.xml")
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
		if !there {
			t.Errorf("output %s: there is no variable %s", o.Type, o.Value)
		}
		outputs[o.Type] = value
	}
	if outputs["FirstName"] != callerName(1) || outputs["PhoneBusiness"] != callerNumber(1) {
		t.Errorf("3CX is shown %v", outputs)
	}
}
