package source

// Users returns how many wait for or use a key's value.
func (p *Pool[T]) Users(key Digest) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.entries[key]; e != nil {
		return e.users
	}
	return 0
}
