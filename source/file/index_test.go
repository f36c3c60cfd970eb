package file

import "testing"

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
