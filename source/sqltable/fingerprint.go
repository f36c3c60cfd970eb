package sqltable

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"
	"strings"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source/keyset"
)

// fingerprintPrefix begins the checkpoints of sources without an updated field.
const fingerprintPrefix = "all/"

func isFingerprint(c bridge.Checkpoint) bool {
	return len(c) > len(fingerprintPrefix) && strings.HasPrefix(string(c), fingerprintPrefix)
}

// takeFingerprint returns a checkpoint of everything that is read (E10).
func takeFingerprint(ctx context.Context, conn Session, t *Table) (bridge.Checkpoint, error) {
	var text string
	var err error
	if own, ok := conn.(Fingerprinter); ok {
		text, err = own.Fingerprint(ctx, t, t.list)
	} else {
		text, err = fingerprint(ctx, conn, t)
	}
	if err != nil {
		return "", fmt.Errorf("take fingerprint: %w", err)
	}
	return bridge.Checkpoint(fingerprintPrefix + text), nil
}

// fingerprint returns the number of rows, and the sum of their hashes, whatever their order.
func fingerprint(ctx context.Context, conn Session, t *Table) (string, error) {
	var rows, high, low uint64
	var row, digits []byte
	err := conn.Query(ctx, Statement{SQL: "SELECT " + t.list + " FROM " + t.From}, func(values []keyset.Value) (bool, error) {
		rows, row = rows+1, row[:0]
		digits = t.readID(&values[0], digits)
		for _, v := range values {
			row = keyset.AppendValue(row, v)
		}
		hash := sha256.Sum256(row)
		var carry uint64
		low, carry = bits.Add64(low, binary.BigEndian.Uint64(hash[:8]), 0)
		high, _ = bits.Add64(high, binary.BigEndian.Uint64(hash[8:16]), carry)
		return true, nil
	})
	return fmt.Sprintf("%d/%016x%016x", rows, high, low), err
}
