package file

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

func TestAPlaceKeepsItsNumbers(t *testing.T) {
	x := &index{}
	numbers := []int64{null, unreadable, -1, 0, 1, -1 << 40, 1<<40 + 1, 1<<32 - 1, 1 << 32}
	ids := []string{"", "a", string(make([]byte, 127)), string(make([]byte, 128)), string(make([]byte, 70_000))}
	for i, n := range numbers {
		x.append(n, numbers[len(numbers)-1-i], ids[i%len(ids)])
	}
	for i, n := range numbers {
		p := x.rows[i]
		if p.updated() != n || p.offset() != numbers[len(numbers)-1-i] || string(x.id(p)) != ids[i%len(ids)] {
			t.Errorf("row %d: %d, %d, an id of %d bytes", i, p.updated(), p.offset(), len(x.id(p)))
		}
	}
}

// The memory of an index is little more than its rows and ids take, also where later ones are longer than the first.
func TestAnIndexHasLittleToSpare(t *testing.T) {
	path := filepath.Join(t.TempDir(), "contacts.csv")
	const most = 300_000
	size := int64(0)
	recordOf := func(i int) int64 { return int64(100 + len(strconv.Itoa(i))) }
	for i := range most {
		size += recordOf(i)
	}
	if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, size)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	v := &version{files: []found{{info: info}}, parts: make([]part, 1)}
	x, read := &index{}, int64(0)
	for i := range most {
		if i%checkEvery == 0 {
			x.grow(i, read, v)
		}
		x.append(int64(i), read, strconv.Itoa(i))
		read += recordOf(i)
	}
	if have, need := cap(x.rows), len(x.rows); have > need*11/10 {
		t.Errorf("there is room for %d rows, and there are %d", have, need)
	}
	if have, need := cap(x.ids), len(x.ids); have > need*11/10 {
		t.Errorf("there is room for %d bytes of ids, and there are %d", have, need)
	}
}
