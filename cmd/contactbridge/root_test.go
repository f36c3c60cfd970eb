package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/failure"
)

// Every command: a sentence, a group, an example that names it, and no usage on failure.
func TestEveryCommandHasHelpWithAnExample(t *testing.T) {
	for _, cmd := range newRootCommand(nil).Commands() {
		if cmd.Hidden {
			continue // not for people: the manual pages of packages are made with it
		}
		if cmd.Short == "" || cmd.GroupID == "" || !strings.Contains(cmd.Example, cmd.CommandPath()) {
			t.Errorf("%s: short %q, group %q, example %q", cmd.Name(), cmd.Short, cmd.GroupID, cmd.Example)
		}
		if cmd.RunE == nil {
			t.Errorf("%s does not run", cmd.Name())
		}
	}
}

func TestErrorsAreOneLineAndAHint(t *testing.T) {
	late := &bridge.Error{Code: bridge.CodeTimeout, Message: "no answer\x1b[2J\nfor long", Hint: "Wait."}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"bridge":       {late, "contactbridge sync: no answer [2J for long\nhint: Wait.\n"},
		"wrapped":      {fmt.Errorf("page 3: %w", late), "contactbridge sync: page 3: no answer [2J for long\nhint: Wait.\n"},
		"joined":       {errors.Join(late), "contactbridge sync: no answer [2J for long\nhint: Wait.\n"},
		"own hint":     {failure.WithHint(late, "Do this."), "contactbridge sync: no answer [2J for long\nhint: Do this.\n"},
		"no hint":      {errors.New("broken"), "contactbridge sync: broken\n"},
		"misuse":       {misuse("wrong", "Right."), "contactbridge sync: wrong\nhint: Right.\n"},
		"misuse, help": {misuse("one\ntwo", ""), "contactbridge sync: one\ntwo\nhint: Run 'contactbridge sync --help'.\n"},
	} {
		var out bytes.Buffer
		printError(&out, "contactbridge sync", c.err)
		if out.String() != c.want {
			t.Errorf("%s:\n%q, want\n%q", name, out.String(), c.want)
		}
	}
}

func TestHintOfNothingIsNothing(t *testing.T) {
	if err := failure.WithHint(nil, "Do this."); err != nil {
		t.Errorf("error %v", err)
	}
}

func TestTakesExactlyItsArguments(t *testing.T) {
	check := takes("URL", "FILE")
	for args, want := range map[string]string{"": "URL is missing", "a": "FILE is missing", "a b": "", "a b c": `unexpected argument "c"`} {
		err := check(&cobra.Command{}, strings.Fields(args))
		if got := fmt.Sprint(err); got != want && (want != "" || err != nil) {
			t.Errorf("%q: %v, want %s", args, err, want)
		}
	}
}
