package strictyaml

import "strings"

// Nearest returns the candidate that a mistyped word most likely means, or "" if no candidate is near: upper and lower case, hyphens
// and underscores, a few wrong, missing or swapped letters.
func Nearest(word string, candidates []string) string {
	folded := fold(word)
	best, bestDistance := "", 1+(len(folded)+1)/3
	for _, candidate := range candidates {
		if d := distance(folded, fold(candidate)); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	if best == "" && len(folded) >= 3 {
		return prefixed(folded, candidates)
	}
	return best
}

// prefixed returns the only candidate that begins as the word does: "pg" is not the start of "postgres", but "postgresql" goes on
// where "postgres" ends.
func prefixed(folded string, candidates []string) string {
	found := ""
	for _, candidate := range candidates {
		c := fold(candidate)
		if strings.HasPrefix(c, folded) || strings.HasPrefix(folded, c) {
			if found != "" {
				return ""
			}
			found = candidate
		}
	}
	return found
}

func fold(s string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "", ".", "").Replace(strings.ToLower(s))
}

// distance counts the letters to insert, delete, replace or swap with their neighbour to turn a into b.
func distance(a, b string) int {
	before, last := []int(nil), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
