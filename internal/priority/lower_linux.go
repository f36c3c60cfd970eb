package priority

import "syscall"

const niceness = 10 // a tenth of the processor time, where everybody wants it

// lower makes the calling thread a nice one: for Linux a thread is a process of its own.
func lower() { _ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), niceness) }
