package console

import (
	"context"
	"time"
)

// GivenPassword makes a password for another user: it lets in within a week, and must be replaced at the first sign-in.
// Encoded is the form that a registry keeps.
func GivenPassword(ctx context.Context, now time.Time) (password, encoded string, err error) {
	password = invented()
	encoded, err = newVault().hash(ctx, password, now.Add(givenFor))
	return password, encoded, err
}
