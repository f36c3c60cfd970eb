package registry

import (
	"context"

	"github.com/contactbridge/contactbridge/directory"
)

// Settle makes an integration healthy after its deletions waited for a decision and got one, if its problem is still this one: another
// run may have held back others since. Any other health stays.
func (d *DB) Settle(ctx context.Context, key directory.Key, was *Problem) error {
	problem, err := encoded(was)
	if err != nil {
		return err
	}
	_, err = d.write().exec(ctx, "UPDATE hub.integrations SET health = $3, problem = '' WHERE account = $1 AND name = $2 AND health = $4 AND problem = $5",
		key.Account, key.Integration, HealthOK, HealthGuarded, problem)
	return wrap(err, "integration %s", Owner(key))
}
