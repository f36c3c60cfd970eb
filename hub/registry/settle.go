package registry

import (
	"context"

	"github.com/contactbridge/contactbridge/directory"
)

// Settle makes an integration healthy whose deletions waited for a yes and were answered. Any other health stays.
func (d *DB) Settle(ctx context.Context, key directory.Key) error {
	_, err := d.write().exec(ctx, "UPDATE hub.integrations SET health = $3, problem = '' WHERE account = $1 AND name = $2 AND health = $4",
		key.Account, key.Integration, HealthOK, HealthGuarded)
	return wrap(err, "integration %s", Owner(key))
}
