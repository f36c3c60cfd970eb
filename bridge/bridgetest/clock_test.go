package bridgetest

import (
	"encoding/base64"
	"testing"
	"time"
)

func TestMomentsAreFoundInCheckpoints(t *testing.T) {
	want := time.Date(2012, 11, 20, 23, 1, 0, 0, time.UTC)
	for _, checkpoint := range []string{
		"2012-11-20 23:01:00 UTC", "2012-11-20T23:01:00Z", "2012-11-20 23:01", "2012-11-20T23:01:00.000+00:00",
		"2012-11-21 00:01:00 +0100", "1353452460", "1353452460000", "1353452460000000", "1353452460.25", "v1|2012-11-20T23:01:00Z|42",
		base64.StdEncoding.EncodeToString([]byte(`{"u":"2012-11-20T23:01:00Z","id":"7"}`)),
		base64.RawURLEncoding.EncodeToString([]byte("2012-11-20T23:01:00Z/7")),
	} {
		if got, ok := parseMoment(checkpoint); !ok || !got.Equal(want) {
			t.Errorf("%s: %v, %v", checkpoint, got, ok)
		}
	}
	for _, checkpoint := range []string{"", "42", "memory-0f0f", "c2VjcmV0", "00000000001", "W/\"abc\""} {
		if got, ok := parseMoment(checkpoint); ok {
			t.Errorf("%q: %v", checkpoint, got)
		}
	}
}
