package file

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source/keyset"
)

var errForeign = errors.New("not in the form that this source writes")

// A state holds what every page of a run needs (E4).
type state struct {
	sum       digest    // of the version that the run is over
	names     shortHash // of the names of its files, where there may be others at another time
	sorted    bool
	unchanged bool  // the run began from a checkpoint of this very version: there is nothing to read
	horizon   int64 // if sorted
}

const (
	tokenVersion = 1
	stateSize    = 1 + 2 + len(digest{}) + len(shortHash{}) + 8
	offsetSize   = 1 + 8
	placeSize    = 1 + 8 + 8 // and the id
)

func (s state) encode() []byte {
	dst := []byte{tokenVersion, flag(s.sorted), flag(s.unchanged)}
	dst = append(append(dst, s.sum[:]...), s.names[:]...)
	return binary.BigEndian.AppendUint64(dst, uint64(s.horizon))
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func parseState(b []byte) (state, error) {
	if len(b) != stateSize || b[0] != tokenVersion || b[1] > 1 || b[2] > 1 {
		return state{}, errForeign
	}
	s := state{sorted: b[1] == 1, unchanged: b[2] == 1, horizon: int64(binary.BigEndian.Uint64(b[stateSize-8:]))}
	copy(s.sum[:], b[3:])
	copy(s.names[:], b[3+len(s.sum):])
	return s, nil
}

// An offset is a position in an unsorted run: where the next record starts.
func appendOffset(dst []byte, offset int64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, tokenVersion), uint64(offset))
}

func parseOffset(b bridge.Position) (int64, error) {
	if len(b) != offsetSize || b[0] != tokenVersion {
		return 0, errForeign
	}
	return int64(binary.BigEndian.Uint64(b[1:])), nil
}

// A rank is a position in a sorted run: the row's place in the index, and what is there, for the checkpoint.
type rank struct {
	rank    int
	updated int64
	id      string
}

func appendPlace(dst []byte, r rank) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, tokenVersion), uint64(r.rank))
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.updated))
	return append(dst, r.id...)
}

func parsePlace(b bridge.Position) (rank, error) {
	if len(b) < placeSize || b[0] != tokenVersion {
		return rank{}, errForeign
	}
	at := binary.BigEndian.Uint64(b[1:])
	if at > 1<<40 {
		return rank{}, errForeign
	}
	return rank{rank: int(at), updated: int64(binary.BigEndian.Uint64(b[9:])), id: string(b[placeSize:])}, nil
}

// has reports whether a rank is one of this index.
func (x *index) has(r rank) bool {
	return r.rank < len(x.rows) && x.rows[r.rank].updated() == r.updated && string(x.id(x.rows[r.rank])) == r.id
}

// A checkpoint is a place in the order, the version of the files if a whole run over it led there, and which files there were, if
// others may come. Unsorted sources have the version only.
type checkpoint struct {
	updated int64
	id      string
	hasID   bool // false stands after every id
	version string
	names   shortHash
}

// A shortHash stands for the names of a version's files in its checkpoints; zero where there is one file only.
type shortHash [8]byte

func (d digest) text() string { return hex.EncodeToString(d[:16]) }

func (d digest) short() shortHash { return shortHash(d[:8]) }

// beforeVersion stands in front of the version in the checkpoint of an unsorted source.
const beforeVersion = "-"

// namesMark stands in front of the hash of the names.
const namesMark = "."

// format writes a checkpoint. prefix is the name of the kind.
func (c checkpoint) format(sorted bool, prefix string) bridge.Checkpoint {
	if !sorted {
		return bridge.Checkpoint(prefix + beforeVersion + c.version)
	}
	mark := keyset.Mark{Updated: keyset.IntValue(c.updated)}
	if c.hasID {
		mark.ID = keyset.TextValue(c.id)
	}
	text := keyset.Local.Format(mark) + "#" + c.version
	if c.names != (shortHash{}) {
		text += namesMark + hex.EncodeToString(c.names[:])
	}
	return bridge.Checkpoint(text)
}

// parseCheckpoint reads what format wrote. Anything else is an error.
func parseCheckpoint(text bridge.Checkpoint, sorted bool, prefix string) (checkpoint, error) {
	var c checkpoint
	var err error
	if sorted {
		err = c.parseSorted(string(text))
	} else {
		c.version = strings.TrimPrefix(string(text), prefix+beforeVersion)
	}
	if _, bad := hex.DecodeString(c.version); bad != nil || len(c.version) != 2*16 && (c.version != "" || !sorted) {
		err = errForeign
	}
	if err == nil && c.format(sorted, prefix) != text {
		err = errForeign
	}
	return c, err
}

func (c *checkpoint) parseSorted(text string) error {
	at := strings.LastIndex(text, "#")
	if at < 0 {
		return errForeign
	}
	version, names, _ := strings.Cut(text[at+1:], namesMark)
	c.version = version
	if n, err := hex.Decode(c.names[:], []byte(names)[:min(len(names), 2*len(c.names))]); err != nil || n != 0 && n != len(c.names) {
		return errForeign
	}
	mark, err := keyset.Local.Parse(text[:at])
	c.updated, c.id, c.hasID = mark.Updated.Int, mark.ID.Text, mark.ID.Kind != keyset.None
	return err
}

// checkpointOf returns the checkpoint of a page that ends at a position: never beyond the horizon, never before the run's own
// start, and that start letter by letter where there was nothing new (D2).
func checkpointOf(run bridge.Run, at bridge.Position, complete bool, prefix string) bridge.Checkpoint {
	s, err := parseState(run.State)
	if err != nil || s.unchanged || !s.sorted && !complete {
		return run.Since
	}
	if !s.sorted {
		return checkpoint{version: s.sum.text()}.format(false, prefix)
	}
	reached := checkpoint{updated: s.horizon, names: s.names}
	if complete {
		reached.version = s.sum.text()
	} else {
		place, err := parsePlace(at)
		if err != nil || place.updated == null {
			return run.Since
		}
		if place.updated <= s.horizon {
			reached.updated, reached.id, reached.hasID = place.updated, place.id, true
		}
	}
	if since, err := parseCheckpoint(run.Since, true, prefix); err == nil && since.compare(reached) >= 0 {
		if !complete {
			return run.Since
		}
		reached.updated, reached.id, reached.hasID = since.updated, since.id, since.hasID
	}
	return reached.format(true, prefix)
}

// compare orders two checkpoints by their places.
func (c checkpoint) compare(d checkpoint) int {
	switch {
	case c.updated < d.updated || c.updated == d.updated && c.hasID && (!d.hasID || c.id < d.id):
		return -1
	case c.updated == d.updated && c.hasID == d.hasID && c.id == d.id:
		return 0
	}
	return 1
}
