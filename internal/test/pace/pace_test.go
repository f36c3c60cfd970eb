package pace_test

import (
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/internal/test/pace"
)

func TestALimitIsNeverLessThanOnAnIdleMachine(t *testing.T) {
	for range 10 {
		if limit := pace.Limit(time.Second); limit < time.Second {
			t.Errorf("%v", limit)
		}
	}
}
