package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/bridge"
)

// authFlags collect what a request's auth object holds. Values on the command line can be read by every user of the machine,
// so there are two more ways.
type authFlags struct {
	pairs     []string // key=value
	variables []string // key=NAME of an environment variable
	file      string
}

func (f *authFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.pairs, "auth", nil, "a field of the bridge's credentials as `key=value`; may be repeated")
	flags.StringArrayVar(&f.variables, "auth-env", nil, "the same as `key=VARIABLE`: the value is an environment variable's")
	flags.StringVar(&f.file, "auth-file", "", "`file` with a line key=value for each field, or a JSON object; - is standard input")
}

// auth puts the fields together; a field that is given twice has the last value of file, variables and command line.
func (f *authFlags) auth(stdin io.Reader) (bridge.Auth, error) {
	auth := bridge.Auth{}
	if f.file != "" {
		if err := readAuthFile(f.file, stdin, auth); err != nil {
			return nil, err
		}
	}
	for _, pair := range f.variables {
		key, name, ok := strings.Cut(pair, "=")
		if !ok || key == "" || name == "" {
			return nil, misuse("--auth-env needs key=VARIABLE", "For example --auth-env password=CRM_PASSWORD.")
		}
		value, set := os.LookupEnv(name)
		if !set {
			return nil, misuse(fmt.Sprintf("--auth-env %s: the environment variable %s is not set", key, name), "Set it, or correct its name.")
		}
		auth[key] = value
	}
	for _, pair := range f.pairs {
		// What stands there may be a secret by itself: it is not repeated in the error.
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, misuse("--auth needs key=value", "For example --auth username=agent.")
		}
		auth[key] = value
	}
	return auth, nil
}

// readAuthFile reads fields from a file into auth.
func readAuthFile(path string, stdin io.Reader, auth bridge.Auth) error {
	const most = 1 << 20
	from := stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return misuse("--auth-file: "+err.Error(), "Check the path and its permissions.")
		}
		defer file.Close()
		from = file
	}
	text, err := io.ReadAll(io.LimitReader(from, most))
	if err != nil {
		return misuse("--auth-file: "+err.Error(), "")
	}
	if strings.HasPrefix(strings.TrimSpace(string(text)), "{") {
		if json.Unmarshal(text, &auth) != nil {
			return misuse("--auth-file: not a JSON object of texts", `For example {"username": "agent", "password": "…"}.`)
		}
		return nil
	}
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || strings.TrimSpace(key) == "" {
			return misuse(fmt.Sprintf("--auth-file: line %d is not key=value", i+1), "One field a line, or one JSON object.")
		}
		auth[strings.TrimSpace(key)] = value
	}
	return nil
}
