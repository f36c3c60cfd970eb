package priority

import "syscall"

const (
	nicer   = 10 // than the process: a tenth of the processor time, where everybody wants it
	nicest  = 19
	neutral = 20 // what the system call answers is this, less the niceness
)

// lower makes the calling thread a nicer one: for Linux a thread is a process of its own.
func lower() {
	answer, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	if err != nil {
		return
	}
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), min(neutral-answer+nicer, nicest))
}
