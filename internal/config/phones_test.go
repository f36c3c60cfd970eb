package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/config"
)

func TestPlainNumbersAreSentWithoutAllocations(t *testing.T) {
	for _, phones := range []config.Phones{{Region: "US", Format: config.FormatE164}, {Format: config.FormatAsIs}, {Region: "DE", Format: config.FormatAsIs}} {
		prepare := phones.Prepare()
		c := &contact.Contact{ID: "1", Name: "Jane", Phones: []string{"+14155552671", "+14155550123"}, Emails: []string{"jane@example.com"}, Websites: []string{"https://example.com/a-b"}}
		if n := testing.AllocsPerRun(100, func() { prepare(c) }); n > 0 {
			t.Errorf("%+v: %v allocations", phones, n)
		}
	}
}

func TestListsOfTheSourceStayWhatTheyAre(t *testing.T) {
	emails, websites := []string{"a@x.example; b@x.example"}, []string{"a.example; b.example"}
	c := &contact.Contact{ID: "1", Phones: []string{"415 555 2671; 415 555 2672"}, Emails: emails, Websites: websites}
	config.Phones{Region: "US", Format: config.FormatE164}.Prepare()(c)
	if len(c.Phones) != 2 || len(c.Emails) != 2 || len(c.Websites) != 2 {
		t.Errorf("%+v", c)
	}
	if emails[0] != "a@x.example; b@x.example" || websites[0] != "a.example; b.example" {
		t.Errorf("the source's own lists became %q, %q", emails, websites)
	}
}

func TestJSONWithoutAValueIsNotSent(t *testing.T) {
	for _, nothing := range []string{"[]", "{}", `[""]`, "[null]", `[{"type":"work","number":""}]`, `{"value":null}`} {
		for _, phones := range []config.Phones{{Region: "US", Format: config.FormatE164}, {Format: config.FormatAsIs}} {
			c := contact.Contact{ID: "1", Phones: []string{nothing}, Emails: []string{nothing}, Websites: []string{nothing}}
			if leaves := phones.Leaves(); leaves != nil && leaves(&c) {
				t.Errorf("%s is left as it is", nothing)
			}
			phones.Prepare()(&c)
			if len(c.Phones)+len(c.Emails)+len(c.Websites) > 0 {
				t.Errorf("of %s is sent: %q, %q, %q", nothing, c.Phones, c.Emails, c.Websites)
			}
		}
	}
}

// TestNumbersOfAnotherCountryAreNeverReadAsOnesAtHome: those that are not valid in the contact's country have its calling code.
func TestNumbersOfAnotherCountryAreNeverReadAsOnesAtHome(t *testing.T) {
	for _, c := range []struct{ raw, country, want string }{
		{"089 63648018", "France", "+338963648018"},
		{"0171 2345679", "USA", "+101712345679"},
		{"555-0187", "USA", "+15550187"},
		{"(11) 9876-5437", "Brasil", "+551198765437"},
		{"8 (044) 223-45-69", "UA", "+380442234569"},
		{"97 12 34 57", "Benin", "+22997123457"},
		{"(1) 234 5679", "Colombia", "+5712345679"},
		{"089 63648018 (Büro)", "France", "+338963648018"},
		{"01 42 68 53 00", "France", "+33142685300"},
		{"+49 89 63648018", "France", "+498963648018"},
		{"2041", "France", "2041"},
		{"0000000000", "France", "0000000000"},
		{"4.91511E+12", "France", "4.91511E+12"},
		{"ask Jane", "France", "ask Jane"},
		{"089 63648018", "Germany", "+498963648018"},
		{"0171 12", "Germany", "0171 12"},
		{"089 63648018", "Atlantis", "+498963648018"},
	} {
		for _, format := range []string{config.FormatE164, config.FormatAsIs} {
			contact := &contact.Contact{ID: "1", Phones: []string{c.raw}, Country: c.country}
			config.Phones{Region: "DE", Format: format}.Prepare()(contact)
			want := c.want
			if format == config.FormatAsIs && (c.country == "Germany" || c.country == "Atlantis") {
				want = c.raw
			}
			if got := contact.Phones[0]; got != want {
				t.Errorf("%q of %s is sent %s as %q, want %q", c.raw, c.country, format, got, want)
			}
		}
	}
}

// What was sent, read as a foreign bridge's, is sent as it is.
func FuzzPrepareTwice(f *testing.F) {
	f.Add("07911123468;02079460111", "a@x ::: b@y", "a.example; b.example", "UK", uint8(0))
	f.Add(`[{"value":"030 / 123456"},"4.915112345678E+12"]`, `["a@b"]`, "http://a.example", "Germany", uint8(1))
	f.Add("(030) 1234567 x5, 0171/123-456 oder 447911123457.0", "Doe, Jane <a@x>; b@y", "x", "", uint8(2))
	f.Add("0000000000 / 123456789", "", "", "US", uint8(3))
	f.Add("(11) 9876-5437; 089 63648018", "", "", "BR", uint8(0))
	f.Add("8 (044) 223-45-69", "", "", "Ukraine", uint8(1))
	settings := []config.Phones{
		{Region: "GB", Format: config.FormatE164}, {Region: "DE", Format: config.FormatAsIs}, {Format: config.FormatAsIs}, {Format: config.FormatE164},
	}
	f.Fuzz(func(t *testing.T, phones, emails, websites, country string, setting uint8) {
		prepare := settings[int(setting)%len(settings)].Prepare()
		c := &contact.Contact{ID: "1", Phones: []string{phones}, Emails: []string{emails}, Websites: []string{websites}, Country: country}
		prepare(c)
		sent := strings.Join(slices.Concat(c.Phones, []string{"|"}, c.Emails, []string{"|"}, c.Websites), "\x00")
		prepare(c)
		if again := strings.Join(slices.Concat(c.Phones, []string{"|"}, c.Emails, []string{"|"}, c.Websites), "\x00"); again != sent {
			t.Errorf("sent %q, sent again %q", sent, again)
		}
	})
}

// A contact that is left is one that Prepare does not change.
func FuzzLeaves(f *testing.F) {
	f.Add("415 555 2671", "a@x", "a.example", "", uint8(0))
	f.Add("07911123468;02079460111", "a@x ::: b@y", "a.example; b.example", "UK", uint8(0))
	f.Add("447911123457.0", "", "x", "Germany", uint8(1))
	f.Add("+49 30 123", "a@b", "", "DE", uint8(1))
	settings := []config.Phones{{Region: "GB", Format: config.FormatAsIs}, {Region: "DE", Format: config.FormatAsIs}, {Format: config.FormatAsIs}}
	f.Fuzz(func(t *testing.T, phones, emails, websites, country string, setting uint8) {
		of := settings[int(setting)%len(settings)]
		c := contact.Contact{Phones: []string{phones, "1"}, Emails: []string{emails, "a@b"}, Websites: []string{websites}, Country: country}
		leaves := of.Leaves()(&c)
		after := c.Clone()
		of.Prepare()(&after)
		same := slices.Equal(after.Phones, c.Phones) && slices.Equal(after.Emails, c.Emails) && slices.Equal(after.Websites, c.Websites)
		if leaves && !same {
			t.Errorf("%+v is left as it is, but prepared it is %+v", c, after)
		}
	})
}

func TestUsualContactsAreLeftAsTheyAre(t *testing.T) {
	c := contact.Contact{Phones: []string{"415 555 2671", "+49 30 1234567"}, Emails: []string{"a@x.example"}, Websites: []string{"https://x.example"}}
	if !(config.Phones{Format: config.FormatAsIs}).Leaves()(&c) {
		t.Error("a contact without a cell of several values is prepared")
	}
	if (config.Phones{Region: "US", Format: config.FormatE164}).Leaves() != nil {
		t.Error("numbers are left as they are where all are written in E.164")
	}
}
