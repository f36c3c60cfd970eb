package bridgetest

import (
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	isoMoment = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?( ?UTC|Z| ?[+-]\d\d:?\d\d)?`)
	epoch     = regexp.MustCompile(`(?:^|\D)(\d{10}(?:\.\d+)?|\d{13}|\d{16}|\d{19})(?:\D|$)`)
	layouts   = []string{
		"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999",
		"2006-01-02T15:04Z07:00", "2006-01-02T15:04",
	}
)

// parseMoment finds a moment in a checkpoint, however it is written: as a date and time, as seconds, milliseconds,
// microseconds or nanoseconds since 1970, and also inside base64 or hex. A checkpoint is opaque, so that not finding one
// means nothing.
func parseMoment(checkpoint string) (time.Time, bool) {
	texts := []string{checkpoint}
	for _, decode := range []func(string) ([]byte, error){
		base64.StdEncoding.DecodeString, base64.URLEncoding.DecodeString,
		base64.RawStdEncoding.DecodeString, base64.RawURLEncoding.DecodeString, hex.DecodeString,
	} {
		if b, err := decode(checkpoint); err == nil {
			texts = append(texts, string(b))
		}
	}
	for _, t := range texts {
		if moment, ok := momentIn(t); ok {
			return moment, true
		}
	}
	return time.Time{}, false
}

func momentIn(text string) (time.Time, bool) {
	if found := isoMoment.FindString(text); found != "" {
		found = strings.Replace(found, " UTC", "Z", 1)
		found = strings.Replace(found, "UTC", "Z", 1)
		found = strings.Replace(found, " ", "T", 1)
		found = strings.Replace(found, " ", "", 1)
		for _, layout := range layouts {
			if moment, err := time.Parse(layout, found); err == nil {
				return moment, true
			}
		}
	}
	found := epoch.FindStringSubmatch(text)
	if found == nil {
		return time.Time{}, false
	}
	whole, _, _ := strings.Cut(found[1], ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	moment := map[int]time.Time{
		10: time.Unix(n, 0), 13: time.UnixMilli(n), 16: time.UnixMicro(n), 19: time.Unix(0, n),
	}[len(whole)]
	return moment, moment.Year() > 1990 && moment.Year() < 2100
}
