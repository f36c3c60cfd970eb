package process

import (
	"context"
	"fmt"
	"os"
	"os/exec"
)

// Copy copies a file or a folder with everything in it, owners included, to a name that nothing has yet. Until it is complete it has
// another name.
func Copy(ctx context.Context, from, to string) error {
	part := to + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, "cp", "-a", "--reflink=auto", from, part).CombinedOutput(); err != nil {
		return fmt.Errorf("copy %s: %w: %s", from, err, out)
	}
	return os.Rename(part, to)
}
