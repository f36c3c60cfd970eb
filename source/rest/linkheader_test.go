package rest

import "testing"

func TestTheNextAddressOfALinkHeader(t *testing.T) {
	const next = "https://a.example/?page=2"
	for header, want := range map[string]string{
		`<https://a.example/?page=2>; rel="next"`:                                                             next,
		`<https://a.example/?f=a,b&n=0>;rel="first",<https://a.example/?f=a,b&n=2>;rel="next"`:                "https://a.example/?f=a,b&n=2",
		`<https://a.example/?f=a;b,rel=next>; rel="prev", <https://a.example/?f=a;b>; rel=next; title="x, y"`: "https://a.example/?f=a;b",
		`<https://a.example/?page=1>; rel="prev"`:                                                             "",
		``: "",

		`<https://a.example/?page=2>; rel = "next"`:                                 next,
		`<https://a.example/?page=2> ; rel	=	next	`:                                 next,
		`<https://a.example/?page=2>; REL="Next"`:                                   next,
		`<https://a.example/?page=2>;rel=NEXT;foo`:                                  next,
		`<https://a.example/?page=2>; rel="next last"`:                              next,
		`<https://a.example/?page=2>; rel="last  next"`:                             next,
		`<https://a.example/?page=2> rel="next"`:                                    next, // as some write it
		`, ,<https://a.example/?page=2>;;rel=next;,`:                                next,
		`<?page=2>; rel=next`:                                                       "?page=2",
		`<https://a.example/?page=2>; rel="n\ext"`:                                  next,
		`<x>; title="a \"<y>; rel=next\" b", <https://a.example/?page=2>; rel=next`: next,
		`<x>; title="a, <y>; rel=next", <https://a.example/?page=2>; rel=next`:      next,
		`<x>; rel=prev, <https://a.example/?page=2>; rel=next, <z>; rel=next`:       next,

		`<x>; rel="prev"; title="rel=next is elsewhere"`: "",
		`<x>; rel="prev"; title="; rel=\"next\""`:        "",
		`<x>; rel="prev"; rel="next"`:                    "", // the first one counts
		`<x>; title="next"`:                              "",
		`<x>; rel="nextpage"`:                            "",
		`<x>; rel="https://a.example/next"`:              "",
		`<x>; xrel="next"`:                               "",
		`<x>; rel`:                                       "",
		`<x>`:                                            "",
		` , `:                                            "",
	} {
		if got, readable := nextLink([]string{header}); got != want || !readable {
			t.Errorf("%s: %q, %t; want %q", header, got, readable, want)
		}
	}
}

func TestTheNextAddressOfSeveralLinkHeaders(t *testing.T) {
	for _, headers := range [][]string{
		{`<first>; rel=first`, `<second>; rel=next`},
		{`<second>; rel=next`, `<x>; rel="prev"`},
		{``, `<x>; rel=prev, <second>; rel=next, <broken`}, // what comes after the link does not matter
	} {
		if got, readable := nextLink(headers); got != "second" || !readable {
			t.Errorf("%q: %q, %t", headers, got, readable)
		}
	}
}

// A header that cannot be read to its end may have had the link to the next page.
func TestALinkHeaderThatCannotBeRead(t *testing.T) {
	for _, header := range []string{
		`https://a.example/?page=2; rel="next"`, `<https://a.example/?page=2; rel="next"`, `<x>; rel="next`, `<x>; title="a\`, `<x>; rel=prev, y; rel=next`,
	} {
		if got, readable := nextLink([]string{header}); got != "" || readable {
			t.Errorf("%s: %q, %t", header, got, readable)
		}
	}
}
