package phone

import "bytes"

// repair puts right what a country's callers still write in front of or inside the national number though its plan has no
// room for it (any more) and the library does not know it. A number that is valid stays as it is.
func repair(r *reading) {
	if r.code == nil || r.valid() {
		return
	}
	switch r.code.digits {
	case "52":
		repairMexico(r)
	case "54":
		repairArgentina(r)
	}
	if !r.valid() {
		repairZero(r)
	}
}

// repairZero drops a zero in front where no number starts with one: people write it as a trunk prefix, in brackets or not,
// even where it does not exist (any more), as in Chile, Poland or Spain.
func repairZero(r *reading) {
	if number := r.number(); number[0] == '0' && len(number) > minNational && r.code.valid.next[start*10] == dead {
		r.settle(r.code, append([]byte(nil), number[1:]...))
	}
}

// mexicanPrefixes went out of use in 2019: 1 in front of mobile numbers when called from abroad, 01 for long distance, 044
// and 045 for mobiles.
var mexicanPrefixes = [...]string{"044", "045", "01", "1"}

func repairMexico(r *reading) {
	const national = 10
	for _, prefix := range mexicanPrefixes {
		if rest, ok := bytes.CutPrefix(r.number(), []byte(prefix)); ok && len(rest) == national {
			r.settleIfValid(rest)
			return
		}
	}
}

// repairArgentina drops the 15 that is dialled between area code and number inside the country where the 9 that stands for
// it from abroad is there too, and the trunk prefix after that 9.
func repairArgentina(r *reading) {
	const mobile = 11 // 9, area code and number
	number := r.number()
	if number[0] != '9' {
		return
	}
	rest := bytes.TrimPrefix(number[1:], []byte("0"))
	if len(rest)+1 == mobile {
		r.settleIfValid(append([]byte{'9'}, rest...))
		return
	}
	for area := 2; area <= 4 && len(rest) == mobile+1; area++ {
		if string(rest[area:area+2]) != "15" {
			continue
		}
		without := append([]byte{'9'}, rest[:area]...)
		if r.settleIfValid(append(without, rest[area+2:]...)) {
			return
		}
	}
}

// settleIfValid takes over a national number if that makes the reading valid.
func (r *reading) settleIfValid(national []byte) bool {
	better := *r
	if !better.settle(r.code, national) || !better.valid() {
		return false
	}
	*r = better
	return true
}
