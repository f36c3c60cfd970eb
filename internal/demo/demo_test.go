package demo_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/internal/demo"
)

func TestStoryComesOutAsItShould(t *testing.T) {
	var out bytes.Buffer
	err := demo.Run(context.Background(), demo.Options{Out: &out, Once: true, Listen: "127.0.0.1:0", Customers: 700})
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"700 created, 0 updated, 0 deleted", "1 created, 1 updated, 1 deleted", "Grace Hopper", "no contact has this number", "Every step came out as it should."} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the story does not say %q:\n%s", want, out.String())
		}
	}
}
