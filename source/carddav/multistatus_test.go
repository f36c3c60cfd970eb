package carddav

import (
	"errors"
	"strings"
	"testing"
)

func TestPathsHaveOneForm(t *testing.T) {
	for href, want := range map[string]string{
		"/a/b.vcf":                           "/a/b.vcf",
		"https://dav.example.com:443/a/b":    "/a/b",
		"/a/%41%2f%2F%25%20%c3%a9@%40.vcf":   "/a/A%2F%2F%25 é@@.vcf",
		"/a/100%.vcf":                        "/a/100%25.vcf",
		"/a/%ff.vcf":                         "/a/%FF.vcf",
		"/a/b\x01":                           "/a/b%01",
		"c.vcf":                              "/base/c.vcf",
		"/a/%3Fq%23":                         "/a/%3Fq%23",
		"":                                   "",
		"http://dav.example.com":             "/",
		"/a/urn:uuid:1://x":                  "/a/urn:uuid:1://x",
		"/SOGo/dav/a%20b/Contacts/x%2Cy.vcf": "/SOGo/dav/a b/Contacts/x,y.vcf",
	} {
		got := canonical("/base/", href)
		if got != want {
			t.Errorf("%q is %q, want %q", href, got, want)
		}
		if again := canonical("", requestPath(got)); again != got {
			t.Errorf("%q is asked for as %q, which is %q", got, requestPath(got), again)
		}
	}
}

func TestForeignAnswers(t *testing.T) {
	for name, text := range map[string]string{
		"empty":              ``,
		"HTML":               `<html><body>Hello</body></html>`,
		"no end":             `<multistatus xmlns="DAV:"><response><href>/a</href></response>`,
		"an external entity": `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><multistatus xmlns="DAV:"><response><href>&e;</href></response></multistatus>`,
		"many entities":      `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><multistatus xmlns="DAV:"><response><href>&b;</href></response></multistatus>`,
		"deep":               `<multistatus xmlns="DAV:">` + strings.Repeat("<a>", 1000) + strings.Repeat("</a>", 1000) + `</multistatus>`,
		"a long address":     `<multistatus xmlns="DAV:"><response><href>` + strings.Repeat("x", maxHref+1) + `</href></response></multistatus>`,
		"a long token":       `<multistatus xmlns="DAV:"><sync-token>` + strings.Repeat("x", maxToken+1) + `</sync-token></multistatus>`,
	} {
		if _, err := readMultistatus(strings.NewReader(text), func(*response) error { return nil }); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	_, err := readMultistatus(strings.NewReader(`<multistatus xmlns="DAV:"><response>`), func(*response) error { return nil })
	if !errors.Is(err, errCut) {
		t.Errorf("an answer that ends early: %v", err)
	}
	long := `<multistatus xmlns="DAV:" xmlns:c="urn:ietf:params:xml:ns:carddav"><response><href>/a</href><propstat><prop><c:address-data>` +
		strings.Repeat("x", maxCard+1) + `</c:address-data></prop></propstat></response></multistatus>`
	n := 0
	_, err = readMultistatus(strings.NewReader(long), func(r *response) error {
		if n++; !r.props.cardTooLong || len(r.props.card) > maxCard {
			t.Errorf("a card of %d bytes", len(r.props.card))
		}
		return nil
	})
	if err != nil || n != 1 {
		t.Errorf("%d responses, %v", n, err)
	}
}

// FuzzMultistatus checks that no answer makes more of itself than it is, and that one that was cut is never taken for a whole one.
func FuzzMultistatus(f *testing.F) {
	f.Add([]byte(`<?xml version="1.0"?><d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:carddav"><d:response><d:href>/a/b.vcf</d:href><d:propstat><d:prop><d:getetag>"1"</d:getetag><c:address-data>BEGIN:VCARD</c:address-data></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response><d:response><d:href>/a/c.vcf</d:href><d:status>HTTP/1.1 404 Not Found</d:status></d:response><d:sync-token>t1</d:sync-token></d:multistatus>`))
	f.Add([]byte(`<multistatus xmlns="DAV:"><response><href>/</href><propstat><prop><current-user-principal><unauthenticated/></current-user-principal></prop></propstat></response></multistatus>`))
	f.Add([]byte(`<?xml version="1.0" encoding="iso-8859-1"?><multistatus xmlns="DAV:"><response><href>/é</href></response></multistatus>`))
	f.Fuzz(func(t *testing.T, text []byte) {
		size := 0
		_, err := readMultistatus(strings.NewReader(string(text)), func(r *response) error {
			size += len(r.props.card) + len(r.props.etag) + len(r.props.displayName) + len(r.props.syncToken)
			path := canonical("/base/", r.href)
			if again := canonical("", requestPath(path)); again != path && path != "" {
				t.Errorf("%q is asked for as %q, which is %q", path, requestPath(path), again)
			}
			return nil
		})
		if most := 8 * (len(text) + 64) * (1 + strings.Count(string(text), "href")); size > most {
			t.Errorf("%d bytes of %d", size, len(text))
		}
		if err != nil {
			return
		}
		end := strings.LastIndex(string(text), "</")
		if end < 0 {
			return // <multistatus/>
		}
		if _, err := readMultistatus(strings.NewReader(string(text[:end])), func(*response) error { return nil }); err == nil && !strings.Contains(string(text[end:]), "<!--") && strings.Count(string(text), "multistatus") <= 2 {
			t.Errorf("cut at %d it is whole as well", end)
		}
	})
}

// FuzzDigest checks that no question makes the client fail.
func FuzzDigest(f *testing.F) {
	f.Add(`Digest realm="a\"b", nonce="n", qop="auth", algorithm=SHA-256, opaque="o"`)
	f.Add(`Basic realm=x, Digest nonce=1,realm=`)
	f.Fuzz(func(t *testing.T, text string) {
		d := digest{user: "alice", password: "s3cr3t"}
		if d.take(map[string][]string{"Www-Authenticate": {text}}) && strings.Contains(d.header("GET", "/"), "s3cr3t") && !strings.Contains(text, "s3cr3t") {
			t.Error("the password is sent")
		}
	})
}

// What no reader would keep, the decoder does: a tag of many megabytes, and addresses without end, end an answer early.
func TestPiecesOfAnAnswerAreBounded(t *testing.T) {
	const begin = `<multistatus xmlns="DAV:"><response>`
	for name, text := range map[string]string{
		"an attribute": begin + `<href a="` + strings.Repeat("x", 40<<20) + `">/a</href></response></multistatus>`,
		"addresses":    begin + strings.Repeat("<href>/a</href>", 2000) + `</response></multistatus>`,
	} {
		if _, err := readMultistatus(strings.NewReader(text), func(*response) error { return nil }); !errors.Is(err, errTooLong) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
