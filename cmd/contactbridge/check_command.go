package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/bridge/bridgetest"
)

// mostMutation is how long a command that changes a contact may take.
const mostMutation = 30 * time.Second

// mutator changes contacts by running a command with the verb and the id as its last arguments.
func mutator(words []string) bridgetest.Mutator {
	return func(ctx context.Context, verb bridgetest.Verb, id string) (string, error) {
		output, err := runWords(ctx, append(words[:len(words):len(words)], string(verb), id))
		if err != nil || verb != bridgetest.Create {
			return "", err
		}
		return lastLine(output), nil
	}
}

// runWords runs a command and returns what it prints.
func runWords(ctx context.Context, words []string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, mostMutation)
	defer cancel()
	command := exec.CommandContext(ctx, words[0], words[1:]...)
	command.WaitDelay = time.Second // a restarted bridge may keep the output open
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	if said := lastLine(stderr.Bytes()); err != nil && said != "" {
		err = fmt.Errorf("%w: %s", err, said)
	}
	return output, err
}

func lastLine(output []byte) string {
	last := ""
	for lines := bufio.NewScanner(bytes.NewReader(output)); lines.Scan(); {
		if line := strings.TrimSpace(lines.Text()); line != "" {
			last = line
		}
	}
	return last
}

// splitWords splits a command line as a shell does: by white space, with '…', "…" and \ to keep it together. Nothing is
// expanded.
func splitWords(line string) ([]string, error) {
	var (
		words  []string
		word   strings.Builder
		inWord bool
		quote  rune
		escape bool
	)
	for _, r := range line {
		switch {
		case escape:
			if quote == '"' && r != '"' && r != '\\' && r != '$' && r != '`' {
				word.WriteByte('\\')
			}
			word.WriteRune(r)
			escape = false
		case r == '\\' && quote != '\'':
			escape, inWord = true, true
		case quote != 0:
			if r == quote {
				quote = 0
			} else {
				word.WriteRune(r)
			}
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case strings.ContainsRune(" \t\n", r):
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			inWord = true
			word.WriteRune(r)
		}
	}
	if quote != 0 || escape {
		return nil, errors.New("a quote is not closed")
	}
	if inWord {
		words = append(words, word.String())
	}
	if len(words) == 0 {
		return nil, errors.New("the command is missing")
	}
	return words, nil
}
