package phone

// maxDialled is the most digits that are read without the library: an international prefix followed by a long number.
const maxDialled = 26

// A dialled holds a number's spelling without punctuation.
type dialled struct {
	plus   bool // a + stands in front
	n      int
	digits [maxDialled]byte
}

func (d *dialled) all() []byte { return d.digits[:d.n] }

// scan reads a usual spelling: ASCII digits and punctuation, one + in front or none. It reports false for any other.
func (d *dialled) scan(text string) bool {
	d.n, d.plus = 0, false
	for i := range len(text) {
		switch c := text[i]; c {
		case '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			if d.n == maxDialled {
				return false
			}
			d.digits[d.n] = c
			d.n++
		case '+':
			if d.plus || d.n > 0 {
				return false
			}
			d.plus = true
		case ' ', '-', '.', '(', ')', '/':
		default:
			return false
		}
	}
	return d.n >= 2
}

// A reading is one interpretation of a spelling: a calling code followed by a national number.
type reading struct {
	code     *callingCode // nil where nothing was understood
	owner    *plan        // the plan that the number belongs to; nil where it is not valid
	possible bool         // the national number has a length that the plan knows, or came with its calling code
	n        int
	national [maxNational]byte
	ext      string
}

func (r *reading) number() []byte { return r.national[:r.n] }

func (r *reading) valid() bool { return r.owner != nil }

// leastSure is how many digits a national number has at least that may be one though it is not valid: shorter ones are rather extensions
// and service numbers that happen to have a possible length.
const leastSure = 7

// full reports whether the number may be compared with its calling code in front.
func (r *reading) full() bool {
	return r.valid() || r.possible && r.n >= leastSure
}

// appendDigits appends the number without +.
func (r *reading) appendDigits(dst []byte) []byte {
	return append(append(dst, r.code.digits...), r.number()...)
}

// settle takes over a national number and judges it.
func (r *reading) settle(code *callingCode, national []byte) bool {
	if !code.ready() || len(national) < minNational || len(national) > maxNational {
		return false
	}
	r.code, r.owner = code, nil
	r.n = copy(r.national[:], national)
	if i := code.valid.run(national); i > 0 && len(code.digits)+len(national) <= maxE164 {
		r.owner = code.plans[i-1]
	}
	return true
}

// read understands digits as they are dialled in home, a country or nil for none. It decides as the library does. False
// means that the library has to be asked.
func (d *dialled) read(r *reading, home *plan) bool {
	digits := d.all()
	if d.plus {
		return readInternational(r, digits)
	}
	if home == nil || !home.ready() {
		return false
	}
	if n := home.internationalPrefix(digits); n > 0 {
		return readInternational(r, digits[n:])
	}
	if home.international != nil && home.international.prefix(digits) == len(digits) {
		return false // a prefix for calls abroad and nothing after it
	}
	code := home.code.digits
	if len(digits) > len(code) && string(digits[:len(code)]) == code {
		rest, ok := home.withoutTrunk(digits[len(code):])
		if !ok {
			return false
		}
		if home.tooLong(len(digits)) || home.general.run(digits)&matchAtEnd == 0 && home.general.run(rest)&matchAtEnd != 0 {
			return readNational(r, home.code.plans[0], rest, true)
		}
	}
	return readNational(r, home, digits, false)
}

// internationalPrefix returns the length of the prefix for calls abroad that digits start with, 0 if there is no such prefix.
func (p *plan) internationalPrefix(digits []byte) int {
	if p.international == nil {
		return 0
	}
	if n := p.international.prefix(digits); n > 0 && n < len(digits) && digits[n] != '0' {
		return n
	}
	return 0
}

// readInternational reads a number that starts with a calling code.
func readInternational(r *reading, digits []byte) bool {
	code := codeAt(digits)
	if code == nil || len(digits) <= minNational {
		return false
	}
	return readNational(r, code.plans[0], digits[len(code.digits):], true)
}

// readNational reads a number without its calling code, with the trunk prefix or without.
func readNational(r *reading, p *plan, digits []byte, withCode bool) bool {
	if !p.ready() || len(digits) < minNational {
		return false
	}
	rest, ok := p.withoutTrunk(digits)
	if !ok {
		return false
	}
	if p.fits(len(rest)) {
		digits = rest
	}
	r.possible = withCode || p.lengths.has(len(digits)) && !p.local.has(len(digits))
	return r.settle(p.code, digits)
}

// withoutTrunk cuts off the national prefix, if any. False means that the plan rewrites the number instead.
func (p *plan) withoutTrunk(digits []byte) (rest []byte, ok bool) {
	if p.trunk == nil {
		return digits, true
	}
	n := p.trunk.prefix(digits)
	if n <= 0 {
		return digits, true
	}
	if n >= p.rewritten {
		return nil, false
	}
	rest = digits[n:]
	if p.general.run(digits)&matchAtEnd != 0 && p.general.run(rest)&matchAtEnd == 0 {
		return digits, true
	}
	return rest, true
}

// tooLong reports whether no number of the plan has so many digits.
func (p *plan) tooLong(n int) bool {
	return !p.local.has(n) && p.lengths>>uint(n) == 0
}

// fits reports whether the rest after the national prefix has a length that allows for cutting that off.
func (p *plan) fits(n int) bool {
	return !p.local.has(n) && (p.lengths.has(n) || p.tooLong(n))
}
