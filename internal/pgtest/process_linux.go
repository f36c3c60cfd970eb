package pgtest

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// launcher is a thread that never ends: Linux takes the death of the thread that started a program for its parent's.
var launcher = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
})

// start starts a program with [processAttributes].
func start(cmd *exec.Cmd) error {
	started := make(chan error, 1)
	launcher() <- func() { started <- cmd.Start() }
	return <-started
}

// processAttributes run a program as another user; it ends when we do.
func processAttributes(owner *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: owner, Pdeathsig: syscall.SIGQUIT, Setpgid: true}
}
