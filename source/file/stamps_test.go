package file

import (
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/source/keyset"
)

func TestStampsAreReadInTheirUsualForms(t *testing.T) {
	for text, want := range map[string]string{
		"2024-05-01T10:20:30Z":             "2024-05-01T10:20:30.000000",
		"2024-05-01T10:20:30.123456+02:00": "2024-05-01T08:20:30.123456",
		"2024-05-01 10:20:30,5":            "2024-05-01T10:20:30.500000",
		"2024-05-01 10:20:30 +0530":        "2024-05-01T04:50:30.000000",
		"2024-05-01 10:20:30-07":           "2024-05-01T17:20:30.000000",
		"2012-11-20 23:01:00 UTC":          "2012-11-20T23:01:00.000000",
		"2024-05-01 10:20":                 "2024-05-01T10:20:00.000000",
		"2024-05-01":                       "2024-05-01T00:00:00.000000",
		"1714558830":                       "2024-05-01T10:20:30.000000",
		"1714558830123":                    "2024-05-01T10:20:30.123000",
		"":                                 "", "NULL": "", "01/05/2024": "", "2024-13-01": "", "0000-00-00 00:00:00": "", "12": "",
	} {
		s := &stamps{}
		got := ""
		if key, ok := s.key(text); ok {
			got = keyset.Local.FormatStamp(keyset.IntValue(key))
		}
		if got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

func TestStampsWithALayout(t *testing.T) {
	for _, test := range []struct {
		layout, text, want string
		step               time.Duration
	}{
		{"02.01.2006 15:04:05", "31.12.2024 23:59:58", "2024-12-31T23:59:58.000000", time.Second},
		{"1/2/2006 3:04 PM", "5/1/2024 1:20 PM", "2024-05-01T13:20:00.000000", time.Minute},
		{"02/01/2006", "01/05/2024", "2024-05-01T00:00:00.000000", day},
		{"2006-01-02 15:04:05.000 -0700", "2024-05-01 10:20:30.125 +0200", "2024-05-01T08:20:30.125000", time.Millisecond},
		{"unix", "1714558830", "2024-05-01T10:20:30.000000", time.Second},
		{"unix_ms", "1714558830123", "2024-05-01T10:20:30.123000", time.Millisecond},
	} {
		l, err := parseLayout(test.layout)
		if err != nil {
			t.Errorf("%s: %v", test.layout, err)
			continue
		}
		s := &stamps{layout: l}
		key, ok := s.key(test.text)
		if got := keyset.Local.FormatStamp(keyset.IntValue(key)); !ok || got != test.want || s.coarsest != test.step {
			t.Errorf("%s: %q became %q to the %v, want %q to the %v", test.layout, test.text, got, s.coarsest, test.want, test.step)
		}
	}
	for _, bad := range []string{"dd.mm.yyyy", "%Y-%m-%d", "02.01 15:04", "15:04:05", "2006-01-02 15:04:05 MST", "january"} {
		if _, err := parseLayout(bad); err == nil {
			t.Errorf("layout %q was taken", bad)
		}
	}
}

// The horizon must be below every stamp that a later version of the file may bring (E2, T4, T12).
func TestHorizon(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) time.Time {
		parsed, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	const overlap = 5 * time.Minute
	for _, test := range []struct {
		name     string
		zone     *time.Location
		rows     []string
		modified string
		want     string
	}{
		{"newest stamp less overlap", nil, []string{"2024-05-01T10:00:00.250Z"}, "2024-05-01T12:00:00Z", "2024-05-01T09:55:00.249999"},
		{"time of modification if that is earlier", nil, []string{"2024-05-01T10:00:00.000Z"}, "2024-05-01T09:00:00Z", "2024-05-01T08:54:59.999999"},
		{"whole seconds", nil, []string{"2024-05-01T10:00:07Z", "2024-05-01T10:00:07.500Z"}, "2024-05-01T10:00:07.900Z", "2024-05-01T09:55:06.999999"},
		{"whole days", berlin, []string{"2024-05-01", "2024-05-02"}, "2024-05-02T12:00:00Z", "2024-04-30T23:59:59.999999"},
		{"local time", berlin, []string{"2024-05-01 12:00:00"}, "2024-05-01T10:30:00Z", "2024-05-01T11:54:59.999999"},
		{"local and zoned", berlin, []string{"2024-05-01 12:00:00", "2024-05-01T10:10:00Z"}, "2024-05-01T10:30:00Z", "2024-05-01T12:04:59.999999"},
		{"unknown zone", nil, []string{"2024-05-01 12:00:00"}, "2024-05-01T10:30:00Z", "2024-04-30T22:24:59.999999"},
		// On 2024-10-27 the clock goes from 03:00 to 02:00: what changes after 02:30 summer time may be stamped 02:00.
		{"before clocks are set back", berlin, []string{"2024-10-27 02:40:00"}, "2024-10-27T00:40:00Z", "2024-10-27T01:59:59.999999"},
		{"after clocks are set back", berlin, []string{"2024-10-27 02:50:00"}, "2024-10-27T01:50:00Z", "2024-10-27T01:59:59.999999"},
		{"an hour later", berlin, []string{"2024-10-27 03:50:00"}, "2024-10-27T02:50:00Z", "2024-10-27T03:44:59.999999"},
	} {
		s := &stamps{zone: test.zone}
		newest := int64(null)
		for _, row := range test.rows {
			key, ok := s.key(row)
			if !ok {
				t.Fatalf("%s: %q", test.name, row)
			}
			newest = max(newest, key)
		}
		got := keyset.Local.FormatStamp(keyset.IntValue(s.horizon(at(test.modified), newest, overlap)))
		if got != test.want {
			t.Errorf("%s: horizon %s, want %s", test.name, got, test.want)
		}
	}
}
