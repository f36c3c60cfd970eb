package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/failure"
)

// healthFlags are the flags of contactbridge health.
type healthFlags struct {
	timeout  time.Duration
	insecure bool
}

func newHealthCommand() *cobra.Command {
	var f healthFlags
	cmd := &cobra.Command{
		Use:     "health [URL]",
		GroupID: groupSync,
		Short:   "Ask a bridge or hub whether it lives: for containers, which have no other program to ask with",
		Long: `Ask a running bridge or hub at a URL, http://127.0.0.1:8090/healthz unless another one is given, and end with exit status 0 if it answers
200, or 1. /healthz says that the process lives, /readyz that it can work.`,
		Example: `  contactbridge health
  contactbridge health http://127.0.0.1:8080/readyz`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return misuse(fmt.Sprintf("unexpected argument %q", args[1]), "")
			}
			return nil
		},
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			url := "http://127.0.0.1:8090/healthz"
			if len(args) == 1 {
				url = args[0]
			}
			return f.ask(cmd, url)
		},
	}
	cmd.Flags().DurationVar(&f.timeout, "timeout", 5*time.Second, "how long an answer may take")
	cmd.Flags().BoolVar(&f.insecure, "insecure", false, "take any certificate: on this machine the server has another name than in its certificate")
	return cmd
}

// ask asks once.
func (f *healthFlags) ask(cmd *cobra.Command, url string) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return misuse("this is not a URL", "Write it as http://127.0.0.1:8090/healthz")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: f.insecure, MinVersion: tls.VersionTLS12}} //nolint:gosec // asked for
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return &failure.Error{Message: "no answer", Hint: "Does the server run, and does it listen there?", Err: err}
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxHealthText)) // what there is of it
	fmt.Fprintln(cmd.OutOrStdout(), oneLine(string(text)))
	if response.StatusCode != http.StatusOK {
		return &failure.Error{Message: fmt.Sprintf("the answer is %d", response.StatusCode), Hint: "The server's log says what is wrong."}
	}
	return nil
}

const maxHealthText = 4 << 10
