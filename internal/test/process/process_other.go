//go:build unix && !linux

package pgtest

import (
	"os/exec"
	"syscall"
)

// processAttributes run a program as another user.
func processAttributes(owner *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: owner, Setpgid: true}
}

// start starts a program with [processAttributes]; wait waits until it has ended.
func start(cmd *exec.Cmd) (wait func() error, err error) { return cmd.Wait, cmd.Start() }
