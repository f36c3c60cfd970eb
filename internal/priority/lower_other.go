//go:build !linux

package priority

// lower does nothing: elsewhere a priority is the whole process's.
func lower() {}
