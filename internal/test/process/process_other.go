//go:build unix && !linux

package process

import (
	"os/exec"
	"syscall"
)

// Attributes run a program as another user.
func Attributes(owner *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: owner, Setpgid: true}
}

// Start starts a program with [Attributes]; wait waits until it has ended.
func Start(cmd *exec.Cmd) (wait func() error, err error) { return cmd.Wait, cmd.Start() }
