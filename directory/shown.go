package directory

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"
)

// A run notes the contacts that each of its pages shows in one row of the page's transaction: their keys, as [packKeys] writes them. Only
// the last page reads them all.

// packKeys returns keys, which are positive, as bytes: ascending and each once, in runs of consecutive ones. A run is the number of keys
// left out before it and the number of its keys, as varints. A page whose contacts were stored one after another is a few bytes.
func packKeys(keys []int64) []byte {
	keys = slices.Clone(keys)
	slices.Sort(keys)
	keys = slices.Compact(keys)
	var packed []byte
	for i, end := 0, int64(1); i < len(keys); { // end follows the last key of the run before
		n := 1
		for i+n < len(keys) && keys[i+n] == keys[i]+int64(n) {
			n++
		}
		packed = binary.AppendUvarint(packed, uint64(keys[i]-end))
		packed = binary.AppendUvarint(packed, uint64(n))
		end = keys[i] + int64(n)
		i += n
	}
	return packed
}

// A keySet holds keys as bits: a million keys that were given one after another take 128 KiB.
type keySet struct {
	chunks map[int64]*keyChunk
	count  int64
}

const chunkKeys = 1 << 15

type keyChunk [chunkKeys / 64]uint64

var errMarks = errors.New("the marks of the run's contacts are damaged")

// add adds keys that [packKeys] wrote.
func (s *keySet) add(packed []byte) error {
	for end := int64(1); len(packed) > 0; {
		skip, n := binary.Uvarint(packed)
		if n <= 0 {
			return errMarks
		}
		length, m := binary.Uvarint(packed[n:])
		if m <= 0 || skip > maxKey || length == 0 || length > longestRun || end > maxKey {
			return errMarks
		}
		packed = packed[n+m:]
		first := end + int64(skip)
		end = first + int64(length)
		s.addRun(first, end)
	}
	return nil
}

// Bounds of what can be in the marks of a page.
const (
	maxKey     = 1 << 61 // no store counts so far
	longestRun = 1 << 26 // no page has so many contacts
)

// addRun adds the keys from first on and below end.
func (s *keySet) addRun(first, end int64) {
	for first < end {
		chunk := s.chunks[first/chunkKeys]
		if chunk == nil {
			if s.chunks == nil {
				s.chunks = map[int64]*keyChunk{}
			}
			chunk = new(keyChunk)
			s.chunks[first/chunkKeys] = chunk
		}
		stop := min(end, (first/chunkKeys+1)*chunkKeys)
		for first < stop {
			from, n := uint(first%64), min(64-first%64, stop-first)
			word, mask := &chunk[first%chunkKeys/64], (^uint64(0)>>(64-uint(n)))<<from
			s.count += int64(bits.OnesCount64(mask &^ *word))
			*word |= mask
			first += n
		}
	}
}

// has reports whether a key is in the set.
func (s *keySet) has(key int64) bool {
	chunk := s.chunks[key/chunkKeys]
	return chunk != nil && chunk[key%chunkKeys/64]&(1<<uint(key%64)) != 0
}
