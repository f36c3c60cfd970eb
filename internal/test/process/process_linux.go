package process

import (
	"os/exec"
	"runtime"
	"syscall"
)

// Start starts a program with [Attributes]; wait waits until it has ended. One thread does both and lasts as long as
// the program: Linux takes the death of the thread that started it for its parent's.
func Start(cmd *exec.Cmd) (wait func() error, err error) {
	started, ended := make(chan error, 1), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			ended <- cmd.Wait()
		}
	}()
	return func() error { return <-ended }, <-started
}

// Attributes run a program as another user; it ends when we do.
func Attributes(owner *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: owner, Pdeathsig: syscall.SIGQUIT, Setpgid: true}
}
