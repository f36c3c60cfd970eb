package ldapbook

import (
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/directory"
)

// A text may be typed with umlauts, without, or with the two letters that stand for one: Müller, Muller, Mueller. Names are kept folded,
// without accents; so what is typed is tried in three ways.
var ways = []*strings.Replacer{
	strings.NewReplacer(),
	strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue", "Ä", "Ae", "Ö", "Oe", "Ü", "Ue"),
	strings.NewReplacer("ae", "a", "oe", "o", "ue", "u", "Ae", "a", "Oe", "o", "Ue", "u", "AE", "a", "OE", "o", "UE", "u"),
}

func folded(text string) string { return strings.Join(directory.Fold(text), " ") }

func fold(text string, way int) string { return folded(ways[way].Replace(text)) }

func foldAll(texts []string, way int) []string {
	var all []string
	for _, text := range texts {
		if text = fold(text, way); text != "" {
			all = append(all, text)
		}
	}
	return all
}

// matched are the pairs of a typed text's way and a name's way that are the same text: as they are, or one of them with umlauts and the
// other with two letters. The third way is for indexes, which have names without accents only, and finds others besides.
var matched = [][2]int{{0, 0}, {1, 0}, {0, 1}}

// spellings are the different ways of a text, folded.
func spellings(text string) (all []string) {
	for way := range ways {
		if one := fold(text, way); !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return all
}
