package jsonrecord

// Of returns columns with the given paths and no others, whatever records have, for [NewKeeper]. A path may name an object too,
// which is JSON then, and a key may have dots in it.
func Of(paths []string) *Columns {
	c := NewColumns(nil)
	for _, path := range paths {
		if c.wanted[path] {
			continue
		}
		c.wanted[path] = true
		c.root.take(path, path, c.column(path))
	}
	return c
}

// take makes the nodes of a path, or of what is left of it: with each of its dots as part of a key, and as the end of one.
func (n *node) take(rest, path string, column int) {
	leaf := n.key(rest)
	leaf.path, leaf.column, leaf.object = path, column, column
	for i := range len(rest) {
		if rest[i] == '.' && i > 0 && i < len(rest)-1 {
			n.key(rest[:i]).take(rest[i+1:], path, column)
		}
	}
}

// key returns the node of a key, which is new if there is no such node.
func (n *node) key(key string) *node {
	child, ok := n.keys[key]
	if !ok {
		child = &node{column: -1, object: -1}
		if n.keys == nil {
			n.keys = map[string]*node{}
		}
		n.keys[key] = child
	}
	return child
}

// StandsForNothing says that a JSON value means no value, but at some paths.
func (c *Columns) StandsForNothing(value string, truths []string) {
	c.nothing = value
	c.truths = make([]bool, len(c.names))
	for _, path := range truths {
		for i, name := range c.names {
			if name == path {
				c.truths[i] = true
			}
		}
	}
}

// isNothing reports whether a value of a column means no value. So does false where other records have texts, numbers or lists: Odoo
// and others write it for an empty one.
func (c *Columns) isNothing(column int, raw []byte) bool {
	if raw[0] == 'f' && c.held(column).others {
		return true
	}
	return c.nothing != "" && string(raw) == c.nothing && !c.truths[column]
}

// NewKeeper returns a reader of columns that are known, which leaves the values of one record valid when the next is read.
func NewKeeper(columns *Columns) *Reader { return &Reader{columns: columns, keeps: true} }

// keptRecords is for how many records a keeper makes room at a time.
const keptRecords = 64

// keep gives the next record values of its own.
func (r *Reader) keep() {
	n := len(r.columns.names)
	if len(r.room) < n {
		r.room, r.signs = make([][]byte, keptRecords*n), make([]bool, keptRecords*n)
	}
	r.values, r.room = r.room[:n:n], r.room[n:]
	r.bare, r.signs = r.signs[:n:n], r.signs[n:]
	for len(r.seen) < n {
		r.seen = append(r.seen, 0)
	}
}
