//go:build unix && !linux

package pgtest

import "syscall"

// processAttributes run a program as another user.
func processAttributes(owner *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: owner, Setpgid: true}
}
