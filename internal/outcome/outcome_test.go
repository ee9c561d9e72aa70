package outcome_test

import (
	"testing"

	"github.com/pincall/pincall/internal/outcome"
)

func TestEveryOutcomeBelongsToAChannel(t *testing.T) {
	t.Parallel()
	seen := map[outcome.Outcome]bool{}
	for _, o := range outcome.All() {
		if seen[o] || !o.Valid() || !o.OfVoice() && !o.OfMessage() {
			t.Errorf("%s: twice, invalid, or of no channel", o)
		}
		seen[o] = true
	}
	if len(seen) != 16 || outcome.Outcome("").Valid() {
		t.Errorf("%d outcomes", len(seen))
	}
	for _, o := range []outcome.Outcome{outcome.Heard, outcome.Answered, outcome.Sent, outcome.Delivered} {
		if !o.Reached() {
			t.Errorf("%s: the person may hold the code", o)
		}
	}
	if outcome.GateMissed.Reached() || outcome.CarrierFailed.Reached() {
		t.Error("nobody was told a code")
	}
}
