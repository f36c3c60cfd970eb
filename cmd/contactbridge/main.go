// Command contactbridge moves contacts from an external service to where calls are answered: it serves them (the bridge),
// fetches them from any bridge (the synchronizer), keeps them (the directory) and says who is calling.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // time zones of the configuration work on machines that have no zone files

	_ "golang.org/x/crypto/x509roots/fallback" // authorities of certificates, on machines and in containers that have none
)

// The exit statuses of every command.
const (
	exitDone   = 0
	exitFailed = 1
	exitMisuse = 2 // used wrongly: flags, arguments, configuration
)

func main() {
	os.Exit(interruptible(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// interruptible runs a command until it ends or a signal cancels it. A second signal ends the process at once.
func interruptible(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return run(ctx, args, stdin, stdout, stderr)
}
