package secret

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/failure"
)

// A file is where a ring's keys lie, and what it was like when they were read.
type file struct {
	path string
	info fs.FileInfo
}

// FromFile reads the keys of a file. If it does not exist, makeOne makes it with a new key, readable by its owner only;
// processes that do so at the same moment agree on one key. Where there is a database already, leave makeOne false: a key that
// was lost must not be replaced in silence.
func FromFile(path string, makeOne bool) (*Ring, error) {
	r := &Ring{origin: path, file: &file{path: path}}
	err := r.refresh()
	if errors.Is(err, fs.ErrNotExist) && makeOne {
		if err := replace(path, NewKey()+"\n", os.Link); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("make the key file: %w", err)
		}
		err = r.refresh()
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// refresh reads the ring's file again if it has changed: a rotation reaches every process on it without a restart.
func (r *Ring) refresh() error {
	if r.file == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	info, err := os.Stat(r.file.path)
	if err == nil && r.file.info != nil && os.SameFile(info, r.file.info) && info.ModTime().Equal(r.file.info.ModTime()) && info.Size() == r.file.info.Size() {
		return nil
	}
	if err != nil && r.keys != nil {
		return nil // the keys are known; it is the file's owner who has to know why it is gone
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(r.file.path)
	}
	if err != nil {
		return unreadable(r.file.path, err)
	}
	keys, err := parse(string(text), r.file.path)
	if err != nil {
		return err
	}
	r.file.info, r.keys = info, keys
	return nil
}

func unreadable(path string, err error) error {
	hint := "give the user that runs contactbridge the right to read it"
	if errors.Is(err, fs.ErrNotExist) {
		hint = "put the key file in its place: what is sealed cannot be opened without it"
	}
	return &failure.Error{Message: "the key file " + path + " cannot be read", Hint: hint, Err: err}
}

// FromEnvironment reads the keys of an environment variable; lookup is os.LookupEnv.
func FromEnvironment(name string, lookup func(string) (string, bool)) (*Ring, error) {
	text, ok := lookup(name)
	if !ok {
		return nil, &failure.Error{
			Message: "the environment variable " + name + " is not set", Err: ErrBadKey,
			Hint: "set it to the hub's key: the base64 of 32 random bytes (openssl rand -base64 32)",
		}
	}
	return Parse(text, "the environment variable "+name)
}

const commandTimeout = 30 * time.Second

// FromCommand reads the keys that a command prints on its standard output: how a key management service is asked. Its
// arguments and what it prints are in no error, except for the end of what it says on standard error.
func FromCommand(ctx context.Context, argv ...string) (*Ring, error) {
	if len(argv) == 0 {
		return nil, &failure.Error{
			Message: "the command that prints the key is empty", Err: ErrBadKey,
			Hint: "name the program and its arguments: [aws, kms, decrypt, …]",
		}
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &said, time.Second
	origin := "what the command " + filepath.Base(argv[0]) + " printed"
	if err := cmd.Run(); err != nil {
		return nil, &failure.Error{
			Message: "the command " + filepath.Base(argv[0]) + " gave no key" + lastLine(said.String()), Err: err,
			Hint: "run it in a shell, as the user that runs contactbridge: it must print the key and nothing else",
		}
	}
	return Parse(out.String(), origin)
}

// lastLine is the end of what a command said, fit for an error.
func lastLine(said string) string {
	const most = 300
	said = strings.TrimSpace(said)
	said = said[strings.LastIndexByte(said, '\n')+1:]
	if said == "" {
		return ""
	}
	return ": " + strings.ToValidUTF8(said[:min(len(said), most)], "")
}

// Rotate puts a new key before the others in the ring's file; the file is whole at any moment. Then the registry's Reseal
// seals everything with it, and [Ring.Retire] lets the others go. One process does that at a time; the others may run on.
func (r *Ring) Rotate() error {
	return r.rewrite(func(keys []key) []string {
		lines := []string{NewKey()}
		for _, k := range keys {
			lines = append(lines, k.text)
		}
		return lines
	})
}

// Retire leaves nothing but the present key in the ring's file. What was sealed with the others cannot be opened any more,
// backups included.
func (r *Ring) Retire() error {
	return r.rewrite(func(keys []key) []string { return []string{keys[0].text} })
}

func (r *Ring) rewrite(lines func([]key) []string) error {
	if r.file == nil {
		return &failure.Error{
			Message: "the keys come from " + r.origin + ", where they cannot be changed from here",
			Hint:    "put a new key (openssl rand -base64 32) on a line before the others there, restart every hub, and reseal",
		}
	}
	if err := r.refresh(); err != nil {
		return err
	}
	if err := replace(r.file.path, strings.Join(lines(r.present()), "\n")+"\n", os.Rename); err != nil {
		return fmt.Errorf("write the key file: %w", err)
	}
	return r.refresh()
}

// replace writes a file beside the one of the path, which then takes its place by link or rename.
func replace(path, text string, take func(from, to string) error) (err error) {
	temporary, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.WriteString(text)
	if err == nil {
		err = temporary.Sync()
	}
	if err := errors.Join(err, temporary.Close()); err != nil {
		return err
	}
	return take(temporary.Name(), path)
}
