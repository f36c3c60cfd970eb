package carddav_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// A server whose tokens stand for what cards hold does not name a card that is as it was when it was listed. A run that has read another
// version meanwhile keeps a token of that one.
func TestACardThatIsChangedBack(t *testing.T) {
	for _, sort := range []struct {
		name    string
		content bool // or the server names no changes at all
	}{{"tokens of contents", true}, {"no tokens", false}} {
		t.Run(sort.name, func(t *testing.T) {
			for _, what := range []struct {
				name        string
				then, after string // what is in the card while it is read, and in the end
			}{
				{"changed and back", "Other", "Ann"},
				{"gone and back", "", "Ann"},
				{"changed", "Other", "Other"},
				{"changed twice", "Other", "Third"},
				{"gone", "", ""},
				{"changed and gone", "Other", ""},
			} {
				for _, last := range []bool{false, true} {
					for _, initial := range []bool{true, false} {
						t.Run(fmt.Sprintf("%s, last %t, initial %t", what.name, last, initial), func(t *testing.T) {
							f := newFake(t)
							f.content, f.noSync = sort.content, !sort.content
							f.etag = func(text string) string { return `"` + text + `"` }
							for i := range 4 {
								f.put(fmt.Sprintf("%sa/%d.vcf", home, i), vcardOf(fmt.Sprint(i), "Ann"))
							}
							path := home + "a/1.vcf"
							if last {
								path = home + "a/3.vcf"
							}
							set := func(name string) {
								if name == "" {
									f.del(path)
								} else {
									f.put(path, vcardOf("x", name))
								}
							}
							set("Ann")
							src := f.opened(t, f.config(t))
							var k kept
							if !initial {
								set("Before")
								k.mustSync(t, src, "a/0.vcf a/1.vcf a/2.vcf a/3.vcf")
								set("Ann")
							}
							f.before = func(_ http.ResponseWriter, r *http.Request, body string) bool {
								if r.Method == http.MethodGet || strings.Contains(body, "multiget") {
									f.before = nil
									set(what.then)
								}
								return false
							}
							if err := k.sync(t.Context(), src); err != nil {
								t.Fatal(err)
							}
							set(what.after)
							if err := k.sync(t.Context(), src); err != nil {
								t.Fatal(err)
							}
							if got := k.contacts[path].Name; got != what.after {
								t.Errorf("kept %q, want %q", got, what.after)
							}
							if err := k.sync(t.Context(), src); err != nil || k.contacts[path].Name != what.after {
								t.Errorf("then kept %q, want %q, %v", k.contacts[path].Name, what.after, err)
							}
						})
					}
				}
			}
		})
	}
}

// A server that writes an etag in one way in lists and in another one with cards is served as if it wrote none.
func TestETagsThatDiffer(t *testing.T) {
	f := newFake(t)
	f.content = true
	for i := range 3 {
		f.put(fmt.Sprintf("%sa/%d.vcf", home, i), vcardOf(fmt.Sprint(i), "Ann"))
	}
	f.cardTag = func(string) string { return `"another"` }
	src := f.opened(t, f.config(t))
	var k kept
	k.mustSync(t, src, "a/0.vcf a/1.vcf a/2.vcf")
	f.put(home+"a/1.vcf", vcardOf("1", "Bob"))
	k.mustSync(t, src, "a/0.vcf a/1.vcf a/2.vcf")
	if k.initial || k.contacts[home+"a/1.vcf"].Name != "Bob" {
		t.Errorf("initial %t, %+v", k.initial, k.contacts)
	}
}
