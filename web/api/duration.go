package api

import (
	"fmt"
	"time"
)

// A duration is written as in the configuration: 30m, 1h30m, 168h.
type duration time.Duration

// MarshalText writes it without trailing zero units: 30m, not 30m0s.
func (d duration) MarshalText() ([]byte, error) {
	text := time.Duration(d).String()
	for _, zero := range []string{"m0s", "h0m"} {
		if cut := len(text) - len(zero) + 1; cut > 0 && text[cut-1:] == zero {
			text = text[:cut]
		}
	}
	return []byte(text), nil
}

// UnmarshalText reads it. It is not repeated in the error.
func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil || parsed < 0 {
		return fmt.Errorf("this is not a duration: write 90s, 30m or 168h")
	}
	*d = duration(parsed)
	return nil
}

// someDuration is an optional one; nil for zero.
func someDuration(d time.Duration) *duration {
	if d == 0 {
		return nil
	}
	return (*duration)(&d)
}

// orZero returns the meaning of an optional duration.
func (d *duration) orZero() time.Duration {
	if d == nil {
		return 0
	}
	return time.Duration(*d)
}
