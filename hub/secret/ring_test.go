package secret_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/secret"
)

// ring parses keys.
func ring(t testing.TB, keys ...string) *secret.Ring {
	t.Helper()
	r, err := secret.Parse(strings.Join(keys, "\n"), "the test")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func seal(t testing.TB, r *secret.Ring, plain, context string) []byte {
	t.Helper()
	sealed, err := r.Seal([]byte(plain), context)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// opens wants something to open.
func opens(t testing.TB, r *secret.Ring, sealed []byte, context, want string) {
	t.Helper()
	if plain, err := r.Open(sealed, context); err != nil || string(plain) != want {
		t.Errorf("%q, %v, want %q", plain, err, want)
	}
}

// refuses wants something not to open, for a reason, with a hint.
func refuses(t testing.TB, r *secret.Ring, sealed []byte, context string, reason error) {
	t.Helper()
	plain, err := r.Open(sealed, context)
	explained(t, err, reason)
	if plain != nil {
		t.Errorf("%q came with %v", plain, err)
	}
}

func explained(t testing.TB, err, reason error) {
	t.Helper()
	if e := failure.Of(err); e.Hint == "" || !errors.Is(err, reason) {
		t.Errorf("%v, want %v with a hint", err, reason)
	}
}

func TestWhatIsSealedOpens(t *testing.T) {
	r := ring(t, secret.NewKey())
	for _, plain := range []string{"", "x", strings.Repeat("long ", 10_000)} {
		sealed := seal(t, r, plain, "here")
		opens(t, r, sealed, "here", plain)
		if again := seal(t, r, plain, "here"); bytes.Equal(sealed, again) {
			t.Error("the same text is sealed alike twice")
		}
		if plain != "" && bytes.Contains(sealed, []byte(plain)) && len(plain) > 1 {
			t.Error("it is not sealed")
		}
	}
}

func TestWhatIsSealedOpensOnlyInItsPlace(t *testing.T) {
	r := ring(t, secret.NewKey())
	sealed := seal(t, r, "s3cret", "auth/acme/crm")
	for _, context := range []string{"", "auth/acme/crm2", "auth/acme/cr", "auth/other/crm"} {
		refuses(t, r, sealed, context, secret.ErrDamaged)
	}
}

func TestEveryBitCounts(t *testing.T) {
	r := ring(t, secret.NewKey())
	sealed := seal(t, r, "s3cret", "here")
	for i := range sealed {
		for bit := range 8 {
			changed := slices.Clone(sealed)
			changed[i] ^= 1 << bit
			if _, err := r.Open(changed, "here"); err == nil {
				t.Errorf("bit %d of byte %d does not count", bit, i)
			}
		}
		if _, err := r.Open(sealed[:i], "here"); err == nil {
			t.Errorf("%d of %d bytes are enough", i, len(sealed))
		}
	}
}

func TestOldKeysOpenAndTheFirstSeals(t *testing.T) {
	old, present := secret.NewKey(), secret.NewKey()
	before := ring(t, old)
	both := ring(t, "# the present one", present, "", "  "+old+"  ")
	sealed := seal(t, before, "s3cret", "here")
	opens(t, both, sealed, "here", "s3cret")
	anew := seal(t, both, "s3cret", "here")
	opens(t, ring(t, present), anew, "here", "s3cret")
	refuses(t, before, anew, "here", secret.ErrUnknownKey)
	if _, err := before.Open(anew, "here"); !strings.Contains(err.Error(), both.IDs()[0]) || !strings.Contains(err.Error(), "the test") {
		t.Errorf("it does not say which key is missing where: %v", err)
	}
	if ids := both.IDs(); len(ids) != 2 || ids[1] != before.IDs()[0] {
		t.Errorf("%q", ids)
	}
}

func TestBadKeysAreRefusedWithoutBeingShown(t *testing.T) {
	good := secret.NewKey()
	short := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("k"), 31))
	for _, text := range []string{"", "# nothing", "password123", short, good + "\n" + short, good + good, good[:40]} {
		_, err := secret.Parse(text, "hub.key")
		explained(t, err, secret.ErrBadKey)
		for _, part := range strings.Fields(strings.TrimPrefix(text, "# nothing")) {
			if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), part) {
				t.Errorf("the error shows %q: %v", part, err)
			}
		}
		if !strings.Contains(err.Error(), "hub.key") {
			t.Errorf("it does not say where: %v", err)
		}
	}
}

func TestARingIsPrintedWithoutItsKeys(t *testing.T) {
	key := secret.NewKey()
	r := ring(t, key)
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(format, r); strings.Contains(text, key) || strings.Contains(text, string(raw)) || strings.Contains(text, strings.Trim(fmt.Sprintf("%d", raw[:4]), "[]")) {
			t.Errorf("%s shows the key: %s", format, text)
		}
	}
}

func FuzzOpen(f *testing.F) {
	r := ring(f, secret.NewKey())
	sealed := seal(f, r, "s3cret", "here")
	f.Add(sealed, "here")
	f.Add(sealed, "there")
	f.Add(sealed[:5], "here")
	f.Add([]byte{}, "")
	f.Add([]byte{1}, "here")
	f.Fuzz(func(t *testing.T, data []byte, context string) {
		plain, err := r.Open(data, context)
		if bytes.Equal(data, sealed) && context == "here" {
			if err != nil || string(plain) != "s3cret" {
				t.Fatalf("%q, %v", plain, err)
			}
			return
		}
		if err == nil {
			t.Fatalf("%x opens in %q", data, context)
		}
	})
}
