package directory

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestMarksHoldExactlyTheKeysOfTheirPages: who is gone is decided by them (E6).
func TestMarksHoldExactlyTheKeysOfTheirPages(t *testing.T) {
	key := rapid.OneOf(rapid.Int64Range(1, 200), rapid.Int64Range(chunkKeys-70, chunkKeys+70), rapid.Int64Range(1, 1<<40))
	rapid.Check(t, func(t *rapid.T) {
		want := map[int64]bool{}
		var set keySet
		for range rapid.IntRange(1, 5).Draw(t, "pages") {
			var page []int64
			for range rapid.IntRange(0, 20).Draw(t, "runs") {
				first := key.Draw(t, "first")
				for n := range rapid.Int64Range(1, 150).Draw(t, "length") {
					page = append(page, first+n)
				}
			}
			page = rapid.Permutation(page).Draw(t, "page")
			before := slices.Clone(page)
			if err := set.add(packKeys(page)); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(page, before) {
				t.Fatal("the page's keys were changed")
			}
			for _, k := range page {
				want[k] = true
			}
		}
		if set.count != int64(len(want)) {
			t.Fatalf("the set counts %d keys, want %d", set.count, len(want))
		}
		for k := range maps.Keys(want) {
			for _, near := range []int64{k - 1, k, k + 1} {
				if set.has(near) != want[near] {
					t.Fatalf("has(%d) = %v", near, set.has(near))
				}
			}
		}
	})
}

// TestMarksOfAPageInOrderAreSmall: a page of unchanged contacts writes as little as that.
func TestMarksOfAPageInOrderAreSmall(t *testing.T) {
	var page []int64
	for k := range int64(1000) {
		page = append(page, 1_000_000+k)
	}
	if packed := packKeys(page); len(packed) > 8 {
		t.Errorf("1,000 keys one after another take %d bytes", len(packed))
	}
}

// FuzzDamagedMarks: marks that nothing wrote are refused or read, within bounds of time and memory.
func FuzzDamagedMarks(f *testing.F) {
	f.Add(packKeys([]int64{1, 2, 3, 70, 1 << 40}))
	f.Add([]byte{0x80})
	f.Add([]byte{0, 0})
	f.Add(bytes.Repeat([]byte{0xff}, 10))
	f.Fuzz(func(t *testing.T, packed []byte) {
		var set keySet
		if len(packed) > 20 {
			return
		}
		_ = set.add(packed)
	})
}
