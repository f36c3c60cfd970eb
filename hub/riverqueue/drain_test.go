package riverqueue

import "testing"

// TestTheQueueWantsMoreWhenAsManyJobsHaveEndedAsAProcessDoes counts how often it is told so.
func TestTheQueueWantsMoreWhenAsManyJobsHaveEndedAsAProcessDoes(t *testing.T) {
	d := newDrain(4)
	for n := 1; n <= 12; n++ {
		d.ended()
		told := false
		select {
		case <-d.low:
			told = true
		default:
		}
		if told != (n%4 == 0) {
			t.Errorf("after %d jobs it is told: %t", n, told)
		}
	}
	for range 12 { // nobody listens: no job waits for that
		d.ended()
	}
}
