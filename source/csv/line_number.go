package csv

import (
	"io"
	"sync"
)

// lineNumbers tells the line that an offset is at. It remembers the last one it told, since a run goes on from there.
type lineNumbers struct {
	mu     sync.Mutex
	offset int64
	line   int // of offset; 0 means nothing is known
}

// number returns the line number of a record that starts at an offset; 0 if the file cannot be read that far.
func (n *lineNumbers) number(v *version, file io.ReaderAt, offset int64) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.line == 0 || offset < n.offset {
		n.offset, n.line = v.start, v.line
	}
	l := newLines(file, v.encoding)
	l.seek(n.offset)
	line := n.line
	for l.offset() < offset {
		if _, _, err := l.readRaw(); err != nil {
			return 0
		}
		line++
	}
	n.offset, n.line = offset, line
	return line
}
