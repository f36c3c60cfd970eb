package ldap

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	client "github.com/go-ldap/ldap/v3"

	"github.com/contactbridge/contactbridge/bridge"
)

// A-L2: the first three groups of objectGUID have their bytes in reverse order; entryUUID and nsUniqueId are texts.
func TestIDsAreWrittenAsTheServersWriteThem(t *testing.T) {
	raw, err := hex.DecodeString("00112233445566778899aabbccddeeff")
	if err != nil {
		t.Fatal(err)
	}
	if got := guidText(raw); got != "33221100-5544-7766-8899-aabbccddeeff" {
		t.Errorf("objectGUID %s", got)
	}
	if got := uuidText(raw); got != "00112233-4455-6677-8899-aabbccddeeff" {
		t.Errorf("entryUUID %s", got)
	}
	if got := uniqueIDText(raw); got != "00112233-44556677-8899aabb-ccddeeff" {
		t.Errorf("nsUniqueId %s", got)
	}
	back, ok := parseID(guidText(raw))
	if got := filterBytes([]byte(guidBytes(back))); !ok || got != `\00\11\22\33\44\55\66\77\88\99\aa\bb\cc\dd\ee\ff` {
		t.Errorf("a filter for it has %s", got)
	}
	if sid, ok := sidText([]byte{1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0}); !ok || sid != "S-1-5-32-544" {
		t.Errorf("objectSid %s", sid)
	}
}

// A-L3 and A-S10: names of attributes are compared without regard to case, and the values of ranges are put together.
func TestAttributesAreFoundByAnyCase(t *testing.T) {
	s := schema{binary: map[string]bool{}, first: map[string]string{}}
	s.add("( 2.5.4.3 NAME ( 'cn' 'commonName' ) SUP name )")
	s.add("( 1.2.3 NAME 'photoData' SYNTAX 1.3.6.1.4.1.1466.115.121.1.28{5} )")
	m := &mapping{binary: s.binary}
	e := &client.Entry{Attributes: []*client.EntryAttribute{
		client.NewEntryAttribute("COMMONNAME", []string{"Ada"}), client.NewEntryAttribute("member", nil),
		client.NewEntryAttribute("Member;range=0-1", []string{"a", "b"}), client.NewEntryAttribute("mail;lang-de", []string{"d"}),
	}}
	got := m.values(e, s)
	if fmt.Sprintf("%s", got["cn"]) != "[Ada]" || fmt.Sprintf("%s", got["member"]) != "[a b]" || fmt.Sprintf("%s", got["mail"]) != "[d]" {
		t.Errorf("values are %s", got)
	}
	if !s.binary["photodata"] || s.binary["cn"] || !hasRange(e) {
		t.Errorf("binary %v, range %t", s.binary, hasRange(e))
	}
}

// Every search of a domain of Active Directory refers to partitions that hold no people: only other domains are worth a word.
func TestReferencesOfActiveDirectory(t *testing.T) {
	r := &reader{root: root{product: activeDirectoryServer}}
	for _, reference := range []string{
		"ldap://example.lan/CN=Configuration,DC=example,DC=lan", "ldap://DomainDnsZones.example.lan/DC=DomainDnsZones,DC=example,DC=lan",
		"ldap://ForestDnsZones.example.lan/DC=ForestDnsZones,DC=example,DC=lan", "ldap://example.lan/CN=Schema,CN=Configuration,DC=example,DC=lan",
		"ldap://child.example.lan/DC=child,DC=example,DC=lan", "ldap://child.example.lan/DC=child,DC=example,DC=lan",
	} {
		r.note(reference)
	}
	if got := strings.Join(r.referred, " "); r.references != 1 || got != "ldap://child.example.lan/DC=child,DC=example,DC=lan" {
		t.Errorf("%d references: %s", r.references, got)
	}
	r = &reader{root: root{product: openLDAP}}
	r.note("ldap://other.example.com/cn=configuration,dc=example,dc=com")
	if r.references != 1 {
		t.Error("a reference of another server is passed over")
	}
}

func TestTimes(t *testing.T) {
	for text, want := range map[string]string{
		"20261130023615Z": "2026-11-30T02:36:15Z", "20261130023615.0Z": "2026-11-30T02:36:15Z", "20261130023615,25Z": "2026-11-30T02:36:15Z",
		"202611300236Z": "2026-11-30T02:36:00Z", "20261130023615+0100": "2026-11-30T01:36:15Z", "20261130023615-05": "2026-11-30T07:36:15Z",
	} {
		if got, ok := parseTime(text); !ok || got.Truncate(time.Second).Format(time.RFC3339) != want {
			t.Errorf("%s is %v, want %s", text, got, want)
		}
	}
	for _, text := range []string{"", "20261330023615Z", "2026", "20261130023615", "never"} {
		if got, ok := parseTime(text); ok {
			t.Errorf("%q is %v", text, got)
		}
	}
}

// A spool holds the last record of each id, in the order of ids, whether it is in memory or in files.
func TestSpool(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 1000, 60_000} {
		w := new(spoolWriter)
		want := map[string]string{}
		for range n {
			id, value := fmt.Sprint("id", random.IntN(max(n/2, 1))), fmt.Sprint(strings.Repeat("x", 300), random.Int())
			want[id] = value
			if err := w.put(&rec{id: []byte(id), key: []byte("k" + id), values: [][]byte{[]byte(value), nil}}); err != nil {
				t.Fatal(err)
			}
		}
		s, err := w.finish()
		if err != nil {
			t.Fatal(err)
		}
		if onDisk := s.file != nil; onDisk != (n == 60_000) {
			t.Errorf("%d records are in a file: %t", n, onDisk)
		}
		checkSpool(t, s, want)
		s.release()
	}
}

func checkSpool(t *testing.T, s *spool, want map[string]string) {
	t.Helper()
	var ids []string
	r := s.after(place{})
	for {
		record, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		if record == nil {
			break
		}
		ids = append(ids, string(record.id))
		if got := string(record.values[0]); got != want[string(record.id)] {
			t.Fatalf("%s holds %.20s", record.id, got)
		}
	}
	if len(ids) != len(want) || !slices.IsSorted(ids) {
		t.Errorf("%d records, want %d; sorted: %t", len(ids), len(want), slices.IsSorted(ids))
	}
	for i := 0; i < len(ids); i += 997 {
		record, err := s.after(place{id: ids[i]}).next()
		if last := i == len(ids)-1; err != nil || (record == nil) != last || record != nil && string(record.id) != ids[i+1] {
			t.Fatalf("after %s comes %v, %v", ids[i], record, err)
		}
	}
}

// Records without an id are kept apart.
func TestRecordsWithoutAnIDStayApart(t *testing.T) {
	w := new(spoolWriter)
	for _, key := range []string{"b", "a", "b"} {
		if err := w.put(&rec{key: []byte(key), kind: kindRejected, reason: []byte("no id")}); err != nil {
			t.Fatal(err)
		}
	}
	s, err := w.finish()
	if err != nil {
		t.Fatal(err)
	}
	r := s.after(place{key: "a"})
	if record, err := r.next(); err != nil || string(record.key) != "b" || string(record.reason) != "no id" {
		t.Errorf("after a comes %v, %v", record, err)
	}
	if record, err := r.next(); err != nil || record != nil {
		t.Errorf("after b comes %v, %v", record, err)
	}
}

func FuzzToken(f *testing.F) {
	for _, t := range []token{
		{way: changesSync, cookies: []string{"rid=000,csn=20261130", ""}, shape: "00"},
		{way: changesUSN, source: "x", number: 5, made: 6, shape: "1"},
		{way: changesLog, source: "y", number: 7, made: 8, shape: "1"},
		{way: changesStamp, number: 1, print: "2", shape: "3"},
		{way: changesWhole, print: "a", shape: "b"},
	} {
		f.Add(t.String())
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := parseToken(text); err == nil && got.String() != text {
			t.Errorf("%q came back as %q", text, got)
		}
	})
}

func FuzzPosition(f *testing.F) {
	f.Add([]byte(appendPosition(nil, place{"id", "key"})))
	f.Add(state{next: token{way: changesWhole, print: "a", shape: "b"}}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := parsePosition(bridge.Position(b)); err == nil && len(b) > 0 {
			if again, err := parsePosition(appendPosition(nil, p)); err != nil || again != p {
				t.Errorf("%q: %v, %v", b, again, err)
			}
		}
		if s, err := parseState(b); err == nil {
			if again, err := parseState(s.encode()); err != nil || again.next.String() != s.next.String() || again.created != s.created {
				t.Errorf("%q: %v, %v", b, again, err)
			}
		}
		var r rec
		_ = r.decode(b)
	})
}

// Whatever a server sends as a value, a name, a time or a description, reading it neither fails nor makes invalid text.
func FuzzValues(f *testing.F) {
	f.Add("objectguid", []byte("0123456789abcdef"), "cn=a,dc=b")
	f.Add("objectsid", []byte{1, 1, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0}, "( 1 NAME 'a' SYNTAX '1.3' )")
	f.Add("cn", []byte("[\"a\"]"), "20261130023615.5Z")
	f.Fuzz(func(t *testing.T, name string, value []byte, other string) {
		readable, ok := text(strings.ToLower(name), value, len(other)%2 == 0)
		if ok && !utf8.Valid(readable) {
			t.Errorf("%q of %s is %q", value, name, readable)
		}
		if ok {
			checkColumn(t, readable)
		}
		s := schema{binary: map[string]bool{}, first: map[string]string{}}
		s.add(other)
		_, _ = parseTime(other)
		if sameDN(sameDN(other)) == "" && other != "" && sameDN(other) != "" {
			t.Errorf("the DN %q is lost", other)
		}
		_ = hasRange(client.NewEntry("", map[string][]string{name: {other}}))
		if raw, ok := parseID(other); ok && !bytes.Equal([]byte(guidBytes([]byte(guidBytes(raw)))), raw) {
			t.Errorf("the GUID %q does not come back", other)
		}
	})
}

// checkColumn checks that values come back from a column.
func checkColumn(t *testing.T, value []byte) {
	t.Helper()
	var list []string
	if got := column([][]byte{value, value}); json.Unmarshal(got, &list) != nil || len(list) != 2 || list[1] != string(value) {
		t.Errorf("%q twice became %q", value, got)
	}
	if got := column([][]byte{value}); !bytes.Equal(got, value) && (json.Unmarshal(got, &list) != nil || list[0] != string(value)) {
		t.Errorf("%q became %q", value, got)
	}
}
