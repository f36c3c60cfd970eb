package bridge

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestOffsetCarriesTheWholeRun(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		salt, since := rapid.String().Draw(t, "salt"), rapid.String().Draw(t, "since")
		state, at := rapid.SliceOf(rapid.Byte()).Draw(t, "state"), rapid.SliceOf(rapid.Byte()).Draw(t, "at")
		token := sealOffset(salt, Run{Since: Checkpoint(since), State: state}, at)
		run, position, err := openOffset(salt, token)
		if err != nil || string(run.Since) != since || !bytes.Equal(run.State, state) || !bytes.Equal(position, at) {
			t.Fatalf("got %+v at %q, %v", run, position, err)
		}
		if strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Fatalf("%q is not base64url", token)
		}
	})
}

// E4: an offset that is not ours is refused, whichever byte of it was altered.
func TestAlteredOffsetIsRefused(t *testing.T) {
	token := sealOffset("kind", Run{Since: "stamp 7", State: []byte{1, 2, 3}}, Position("8 x"))
	for i := range token {
		for _, c := range "A_z9" {
			if altered := token[:i] + string(c) + token[i+1:]; altered != token {
				refuseOffset(t, altered)
			}
		}
		refuseOffset(t, token[:i])
		refuseOffset(t, token[:i]+"\n"+token[i:])
	}
	for _, foreign := range []string{
		"", "2", "500", token + "A", token + "=", token + "\n", " " + token, token + token,
		strings.Repeat("A", maxTokenLen+4), sealOffset("other kind", Run{}, Position("1")),
		base64.RawURLEncoding.EncodeToString(make([]byte, 40)),
	} {
		refuseOffset(t, foreign)
	}
}

// A later version's offset, or one with false lengths, is refused even where its checksum is good.
func TestMalformedOffsetIsRefused(t *testing.T) {
	for name, body := range map[string][]byte{
		"nothing":               {},
		"another version":       {2, 0, 0, 'x'},
		"no lengths":            {tokenVersion},
		"since beyond the end":  {tokenVersion, 9, 'x'},
		"state beyond the end":  {tokenVersion, 1, 'x', 200, 1},
		"a length with no end":  {tokenVersion, 0x80, 0x80},
		"a length past 64 bits": append([]byte{tokenVersion}, bytes.Repeat([]byte{0xff}, 12)...),
	} {
		sum := tokenSum("offset", "kind", body)
		token := base64.RawURLEncoding.EncodeToString(append(bytes.Clone(body), sum[:offsetSumLen]...))
		if _, _, err := openOffset("kind", token); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func refuseOffset(t *testing.T, token string) {
	t.Helper()
	if run, at, err := openOffset("kind", token); err == nil {
		t.Errorf("%q accepted as %+v at %q", token, run, at)
	}
}

func TestCheckpointStaysReadable(t *testing.T) {
	token, err := sealCheckpoint("kind", "2012-11-20 23:01:00~UTC é")
	if err != nil || !strings.HasPrefix(token, "2012-11-20 23:01:00~UTC é~") || len(token) != len("2012-11-20 23:01:00~UTC é~a1b2c3d4") {
		t.Fatalf("got %q, %v", token, err)
	}
	if got, err := openCheckpoint("kind", token); err != nil || got != "2012-11-20 23:01:00~UTC é" {
		t.Errorf("got %q, %v", got, err)
	}
	if token, err := sealCheckpoint("kind", ""); err != nil || token != "" {
		t.Errorf("none: got %q, %v", token, err)
	}
	if c, err := openCheckpoint("kind", ""); err != nil || c != "" {
		t.Errorf("none: got %q, %v", c, err)
	}
}

func TestCheckpointThatCannotTravelIsTheSourcesFault(t *testing.T) {
	for _, c := range []Checkpoint{"a\x00b", "line\n", "\xff", "a\u2028b"} {
		if token, err := sealCheckpoint("kind", c); CodeOf(err) != CodeSourceBroken {
			t.Errorf("%q: got %q, %v", c, token, err)
		}
	}
}

func TestAlteredCheckpointIsRefused(t *testing.T) {
	token, _ := sealCheckpoint("kind", "stamp 7")
	other, _ := sealCheckpoint("other kind", "stamp 7")
	foreign := []string{other, "stamp 7", "~", "~a1b2c3d4", "2012-11-20 23:01:00 UTC", token + "0", strings.ToUpper(token), strings.Repeat("a", maxTokenLen+1)}
	for i := range token {
		foreign = append(foreign, token[:i], token[:i]+"0"+token[i:], token[:i]+string(token[i]^1)+token[i+1:])
	}
	for _, altered := range foreign {
		if altered == "" {
			continue
		}
		if c, err := openCheckpoint("kind", altered); err == nil {
			t.Errorf("%q accepted as %q", altered, c)
		}
	}
}

// Whatever is accepted is exactly what would be issued: there is no second spelling.
func FuzzOffset(f *testing.F) {
	f.Add(sealOffset("kind", Run{Since: "stamp 7", State: []byte{1}}, Position("8 x")))
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		run, at, err := openOffset("kind", token)
		if err == nil && sealOffset("kind", run, at) != token {
			t.Errorf("%q accepted, but issued as %q", token, sealOffset("kind", run, at))
		}
	})
}

func FuzzCheckpoint(f *testing.F) {
	token, _ := sealCheckpoint("kind", "stamp 7")
	f.Add(token)
	f.Fuzz(func(t *testing.T, token string) {
		c, err := openCheckpoint("kind", token)
		if err != nil {
			return
		}
		if again, err := sealCheckpoint("kind", c); err != nil || again != token {
			t.Errorf("%q accepted, but issued as %q, %v", token, again, err)
		}
	})
}
