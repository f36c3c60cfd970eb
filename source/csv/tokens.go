package csv

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source/keyset"
)

var errForeign = errors.New("not in the form that this source writes")

// A state is what every page of a run must know (E4).
type state struct {
	sum       digest // of the version that the run is over
	sorted    bool
	unchanged bool  // the run began from a checkpoint of this very version: there is nothing to read
	horizon   int64 // if sorted
}

const (
	tokenVersion = 1
	stateSize    = 1 + 2 + len(digest{}) + 8
	offsetSize   = 1 + 8
	placeSize    = 1 + 8 + 8 // and the id
)

func (s state) encode() []byte {
	dst := []byte{tokenVersion, flag(s.sorted), flag(s.unchanged)}
	dst = append(dst, s.sum[:]...)
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
	return r.rank < len(x.rows) && x.rows[r.rank].updated == r.updated && string(x.id(x.rows[r.rank])) == r.id
}

// A checkpoint is a place in the order, and the version of the file if a whole run over it led there. Unsorted sources have
// the version only.
type checkpoint struct {
	updated int64
	id      string
	hasID   bool // false stands behind every id
	version string
}

const unsortedPrefix = "csv-"

func (d digest) short() string { return hex.EncodeToString(d[:16]) }

func (c checkpoint) format(sorted bool) bridge.Checkpoint {
	if !sorted {
		return bridge.Checkpoint(unsortedPrefix + c.version)
	}
	mark := keyset.Mark{Updated: keyset.IntValue(c.updated)}
	if c.hasID {
		mark.ID = keyset.TextValue(c.id)
	}
	return bridge.Checkpoint(keyset.Local.Format(mark) + "#" + c.version)
}

// parseCheckpoint reads what format wrote. Anything else is an error.
func parseCheckpoint(text bridge.Checkpoint, sorted bool) (checkpoint, error) {
	var c checkpoint
	before, version, _ := cutLast(string(text), "#")
	if !sorted {
		before, version, _ = cutLast(string(text), "-")
		before += "-"
	}
	c.version = version
	if _, err := hex.DecodeString(version); err != nil || len(version) != 2*16 && (version != "" || !sorted) {
		return checkpoint{}, errForeign
	}
	if sorted {
		mark, err := keyset.Local.Parse(before)
		if err != nil {
			return checkpoint{}, err
		}
		c.updated, c.id, c.hasID = mark.Updated.Int, mark.ID.Text, mark.ID.Kind != keyset.None
	}
	if c.format(sorted) != text {
		return checkpoint{}, errForeign
	}
	return c, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// checkpointOf is the checkpoint of a page that ends at a position: never beyond the horizon, never before the run's own
// start, and that start letter by letter where there was nothing new (D2).
func checkpointOf(run bridge.Run, at bridge.Position, complete bool) bridge.Checkpoint {
	s, err := parseState(run.State)
	if err != nil || s.unchanged || !s.sorted && !complete {
		return run.Since
	}
	if !s.sorted {
		return checkpoint{version: s.sum.short()}.format(false)
	}
	reached := checkpoint{updated: s.horizon}
	if complete {
		reached.version = s.sum.short()
	} else {
		place, err := parsePlace(at)
		if err != nil || place.updated == null {
			return run.Since
		}
		if place.updated <= s.horizon {
			reached = checkpoint{updated: place.updated, id: place.id, hasID: true}
		}
	}
	if since, err := parseCheckpoint(run.Since, true); err == nil && since.compare(reached) >= 0 {
		if !complete {
			return run.Since
		}
		reached.updated, reached.id, reached.hasID = since.updated, since.id, since.hasID
	}
	return reached.format(true)
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
