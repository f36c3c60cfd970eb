package sqlite

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// commits tells whether anyone, in any process, has committed something to a file. It reads the header of the WAL index
// (https://www.sqlite.org/walformat.html#the_wal_index_header), which every commit changes and by which SQLite's own connections
// know whether the pages that they keep still hold. SQLite has the index in shared memory that is mapped into this process for as
// long as a connection is open: it is read there. The file is not opened once more, because with the end of a second descriptor the
// system would take this process's locks on it from SQLite.
type commits struct {
	mu     sync.RWMutex // held while the header is read, so that close can wait
	header unsafe.Pointer
}

// A commit is the header as a commit left it. Equal headers are of the same commit.
type commit [headerWords]uint32

// headerWords is the length of the header, which stands in the index twice.
const headerWords = 48 / 4

// find looks for the index of a file that a connection of db has open, and keeps open. Where it is not found, as on a file system
// without shared memory, nothing is known of commits.
func (c *commits) find(ctx context.Context, db *sql.DB, file string) error {
	var mode string
	if err := db.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil || mode != "wal" {
		return err
	}
	index, err := filepath.EvalSymlinks(file) // as SQLite does, and the system's list of mappings
	if err != nil {
		return fmt.Errorf("find the file's commits: %w", err)
	}
	index += "-shm"
	info, err := os.Stat(index)
	if err != nil {
		return nil //nolint:nilerr // there is none
	}
	if at := mapped(index, info.Sys().(*syscall.Stat_t).Ino); at != 0 {
		c.header = *(*unsafe.Pointer)(unsafe.Pointer(&at)) // memory of SQLite's, which Go does not move
	}
	return nil
}

// mapped returns where the beginning of a file is mapped into this process; 0 where it is not.
func mapped(file string, inode uint64) uintptr {
	maps, err := os.ReadFile("/proc/self/maps") // man 5 proc_pid_maps
	if err != nil {
		return 0
	}
	name := strings.ReplaceAll(file, "\n", `\012`)
	lines := bufio.NewScanner(bytes.NewReader(maps))
	for lines.Scan() {
		fields := strings.Fields(lines.Text()) // address, permissions, offset, device, inode, name
		if len(fields) < 6 || fields[4] != strconv.FormatUint(inode, 10) || strings.Trim(fields[2], "0") != "" {
			continue
		}
		if !strings.HasSuffix(lines.Text(), " "+name) || !strings.HasSuffix(fields[1], "s") {
			continue
		}
		begin, _, _ := strings.Cut(fields[0], "-")
		if at, err := strconv.ParseUint(begin, 16, 64); err == nil {
			return uintptr(at)
		}
	}
	return 0
}

// last returns the last commit to the file; ok is false where that is not known.
func (c *commits) last() (last commit, ok bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.header == nil {
		return last, false
	}
	words := (*[2 * headerWords]uint32)(c.header)
	for i := range last {
		last[i] = atomic.LoadUint32(&words[i])
	}
	// Who commits writes the second copy first. Where the first one is the same, nobody was writing meanwhile.
	for i := range last {
		if last[i] != atomic.LoadUint32(&words[headerWords+i]) {
			return last, false
		}
	}
	return last, true
}

// close is called before the file's last connection is closed.
func (c *commits) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.header = nil
}
