package bridge

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// An offset on the wire holds everything that a page needs (E4), in base64url without padding:
//
//	1 byte   version
//	uvarint  length of Run.Since, then Run.Since
//	uvarint  length of Run.State, then Run.State
//	rest     Position
//	8 bytes  checksum over all of it and the salt
//
// A checkpoint on the wire is the source's own text, "~", and 8 hexadecimal digits of a checksum over text and salt. The salt
// is the digest of everything that tokens belong to (D10): see [Handler.describe].
//
// The checksums distinguish tokens for the same contacts from tokens that were issued for others, altered, or cut off. They
// do not protect against somebody who forges a token: positions and checkpoints say where to start reading, never what may
// be read.
const (
	tokenVersion      = 1
	offsetSumLen      = 8
	checkpointSumLen  = 4
	checkpointDivider = "~"
	maxTokenLen       = 64 << 10
)

var errForeignToken = errors.New("not issued by this bridge")

// sealOffset writes an offset.
func sealOffset(salt string, run Run, at Position) string {
	b := make([]byte, 0, 64+len(run.Since)+len(run.State)+len(at))
	b = append(b, tokenVersion)
	b = append(binary.AppendUvarint(b, uint64(len(run.Since))), run.Since...)
	b = append(binary.AppendUvarint(b, uint64(len(run.State))), run.State...)
	b = append(b, at...)
	sum := tokenSum("offset", salt, b)
	return base64.RawURLEncoding.EncodeToString(append(b, sum[:offsetSumLen]...))
}

// openOffset reads an offset that sealOffset wrote with the same salt, and refuses everything else.
func openOffset(salt, token string) (Run, Position, error) {
	if len(token) > maxTokenLen {
		return Run{}, nil, errForeignToken
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) < 1+offsetSumLen || strings.ContainsAny(token, "\r\n") {
		return Run{}, nil, errForeignToken
	}
	body, sum := b[:len(b)-offsetSumLen], b[len(b)-offsetSumLen:]
	want := tokenSum("offset", salt, body)
	if !bytes.Equal(sum, want[:offsetSumLen]) || body[0] != tokenVersion {
		return Run{}, nil, errForeignToken
	}
	since, rest, okSince := cutSized(body[1:])
	state, rest, okState := cutSized(rest)
	if !okSince || !okState {
		return Run{}, nil, errForeignToken
	}
	return Run{Since: Checkpoint(since), State: state}, Position(rest), nil
}

// cutSized cuts a length and that many bytes off the front.
func cutSized(b []byte) (head, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return nil, nil, false
	}
	return b[n : n+int(size)], b[n+int(size):], true
}

// sealCheckpoint writes a checkpoint for the wire; empty stays empty.
func sealCheckpoint(salt string, c Checkpoint) (string, error) {
	if c == "" {
		return "", nil
	}
	if !printable(string(c)) {
		return "", &Error{
			Code:    CodeSourceBroken,
			Message: "the source's checkpoint is not printable text",
			Hint:    "This is a defect of the source: report it.",
		}
	}
	sum := tokenSum("checkpoint", salt, []byte(c))
	return string(c) + checkpointDivider + hex.EncodeToString(sum[:checkpointSumLen]), nil
}

// openCheckpoint reads a checkpoint that sealCheckpoint wrote with the same salt, and refuses everything else.
func openCheckpoint(salt, token string) (Checkpoint, error) {
	if token == "" {
		return "", nil
	}
	at := strings.LastIndex(token, checkpointDivider)
	if at < 1 || len(token) > maxTokenLen {
		return "", errForeignToken
	}
	if sealed, err := sealCheckpoint(salt, Checkpoint(token[:at])); err != nil || sealed != token {
		return "", errForeignToken
	}
	return Checkpoint(token[:at]), nil
}

func printable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// tokenSum returns the checksum over a token's body; kind and salt keep tokens of different use apart.
func tokenSum(kind, salt string, body []byte) [sha256.Size]byte {
	b := make([]byte, 0, len(kind)+len(salt)+len(body)+16)
	b = append(append(b, kind...), 0)
	b = append(binary.AppendUvarint(b, uint64(len(salt))), salt...)
	return sha256.Sum256(append(b, body...))
}
