package directory

import (
	"fmt"
	"testing"
)

// page returns the fates of a page that follows an order. Its contacts have these keys; 0 is one that is not there.
func page(t *testing.T, before order, keys ...int64) *Fates {
	t.Helper()
	var records []Record
	for i := range keys {
		records = append(records, Record{})
		records[i].Contact.ID = fmt.Sprint(i)
	}
	f, err := newFates(records)
	if err != nil {
		t.Fatal(err)
	}
	f.before = before
	find := func(found func(key int64) bool) {
		for i, key := range keys {
			if key != 0 && found(key) {
				f.Found([]byte(fmt.Sprint(i)), key, nil)
			}
		}
	}
	if after, last, ok := f.Likely(); ok {
		find(func(key int64) bool { return after < key && key <= last })
	}
	f.Missing()
	find(func(int64) bool { return true })
	return f
}

func TestOrder(t *testing.T) {
	for name, c := range map[string]struct {
		before order
		keys   []int64
		want   order
	}{
		"one after the other":              {order{}, []int64{11, 12, 13, 14}, order{last: 14}},
		"far from the beginning":           {order{}, []int64{1_000_011, 1_000_012, 1_000_013}, order{last: 1_000_013}},
		"with gaps":                        {order{}, []int64{11, 13, 14, 15, 17}, order{last: 17, gaps: 2}},
		"with more gaps than contacts":     {order{}, []int64{11, 18, 25, 32}, order{}},
		"new ones among them":              {order{}, []int64{11, 12, 0, 13, 14}, order{last: 14}},
		"one from elsewhere":               {order{}, []int64{11, 12, 900, 13, 14, 15}, order{last: 15}},
		"backwards":                        {order{}, []int64{14, 13, 12, 11}, order{}},
		"all new":                          {order{}, []int64{0, 0, 0}, order{}},
		"one":                              {order{}, []int64{11}, order{}},
		"where it was likely":              {order{last: 10}, []int64{11, 12, 13}, order{last: 13}},
		"where it was likely, after gaps":  {order{last: 10, gaps: 2}, []int64{13, 14, 15}, order{last: 15}},
		"elsewhere":                        {order{last: 10}, []int64{101, 102, 103}, order{last: 103, misses: 1}},
		"elsewhere again":                  {order{last: 10, misses: 1}, []int64{101, 102, 103}, order{last: 103, misses: 2}},
		"there again":                      {order{last: 10, misses: 2}, []int64{11, 12, 13}, order{last: 13}},
		"not looked for, in no order":      {order{misses: 2}, []int64{30, 20, 10}, order{misses: 2}},
		"all new where some were likely":   {order{last: 10, misses: 2}, []int64{0, 0, 0}, order{misses: 2}},
		"some there, the others new":       {order{last: 10, misses: 2}, []int64{11, 0, 12, 0}, order{}},
		"given up after too many failures": {order{last: 10, misses: mostMisses}, []int64{11, 12, 13}, order{last: 13, misses: mostMisses}},
	} {
		if got := page(t, c.before, c.keys...).order(); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestLikely(t *testing.T) {
	for _, c := range []struct {
		before      order
		after, last int64
		ok          bool
	}{
		{order{}, 0, 0, false},
		{order{last: 10}, 10, 13, true},
		{order{last: 10, gaps: 2}, 10, 15, true},
		{order{last: 10, misses: mostMisses - 1}, 10, 13, true},
		{order{last: 10, misses: mostMisses}, 0, 0, false},
	} {
		after, last, ok := page(t, c.before, 1, 2, 3).Likely()
		if ok != c.ok || ok && (after != c.after || last != c.last) {
			t.Errorf("%+v: %d, %d, %t", c.before, after, last, ok)
		}
	}
}
