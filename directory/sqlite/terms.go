package sqlite

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"unicode/utf8"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
)

// What a contact is found by stands in the search index as words of five kinds, so that one index finds all of them and what
// one account has in common does not slow another one's searches down:
//
//	‹account›smith           a word of the contact (directory.Terms)
//	n‹account›491712345678   the start of a number (directory.Starts)
//	e‹account›5ce07bb8…      an e-mail address, as a digest: it is looked for whole
//	i12                      the contact's integration
//	b7                       a book that the contact is in
//
// ‹account› is a single character that is not an ASCII letter, so that the kinds are never taken for each other, and the account
// does not use up the index's short beginnings.

// marks are how many accounts have a character of their own; those after them share them, and searches look at the account too.
const marks = utf8.MaxRune - 0x10000 + 1

func mark(account int64) rune { return rune(0x10000 + account%marks) }

// longestPrefix is how many letters of a word are found at once, however common they are.
const longestPrefix = 6

// searchTerms returns the words of a contact that the index keeps.
func searchTerms(dst []byte, account, integration int64, c *contact.Contact, numbers []directory.Number) []byte {
	who := mark(account)
	for _, term := range directory.Terms(c) {
		dst = append(append(utf8.AppendRune(dst, who), term...), ' ')
	}
	for i := range numbers[:min(maxNumbers, len(numbers))] {
		whole, national := directory.Starts(&numbers[i])
		dst = appendStart(dst, who, whole)
		if national != whole {
			dst = appendStart(dst, who, national)
		}
	}
	for _, email := range c.Emails[:min(len(c.Emails), directory.MaxEmails)] {
		if folded := directory.FoldEmail(email); folded != "" {
			dst = append(appendEmail(dst, who, folded), ' ')
		}
	}
	return appendIntegration(dst, integration)
}

func appendStart(dst []byte, who rune, digits string) []byte {
	if len(digits) < directory.MinDigits {
		return dst
	}
	return append(append(utf8.AppendRune(append(dst, 'n'), who), digits...), ' ')
}

func appendEmail(dst []byte, who rune, folded string) []byte {
	digest := sha256.Sum256([]byte(folded))
	return hex.AppendEncode(utf8.AppendRune(append(dst, 'e'), who), digest[:10])
}

func appendIntegration(dst []byte, pk int64) []byte {
	return strconv.AppendInt(append(dst, 'i'), pk, 10)
}

func appendBook(dst []byte, pk int64) []byte {
	return strconv.AppendInt(append(dst, 'b'), pk, 10)
}
