package verify

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/phone"
)

// What is told is of bounded sets, whatever was asked for, and an answer that
// was given before is not told again.
func TestObserver(t *testing.T) {
	t.Parallel()
	var got []string
	o := Observer{
		Started: func(ch phone.Channel, c Code) { got = append(got, "start/"+string(ch)+"/"+string(c)) },
		Checked: func(r CheckResult) { got = append(got, "check/"+string(r)) },
		Limited: func(r guard.Rule) { got = append(got, "limit/"+string(r)) },
	}
	o.started(StartRequest{}, Answer[Started]{Value: Started{View: View{Channel: phone.SMS}}}, nil)
	o.started(StartRequest{Channel: "voice"}, Answer[Started]{}, fail(Limited, "x"))
	o.started(StartRequest{Channel: "pigeon"}, Answer[Started]{}, bad("channel", "x"))
	o.started(StartRequest{Workflow: []account.Step{{Channel: "sms"}}}, Answer[Started]{}, errors.New("x"))
	o.started(StartRequest{}, Answer[Started]{Replay: []byte{}}, nil)
	o.checked(Answer[Checked]{Value: Checked{Valid: true}}, nil)
	o.checked(Answer[Checked]{}, nil)
	o.checked(Answer[Checked]{Replay: []byte{}}, nil)
	for _, e := range []error{ended(Approved), fail(Limited, "x"), absent(), internal("x", nil), errors.New("x")} {
		o.checked(Answer[Checked]{}, e)
		o.limited(e)
	}
	o.limited(refused(guard.Decision{Rule: guard.RuleSends}, "JP"))
	o.limited(refused(guard.Decision{Rule: guard.RuleCountry}, "JP"))
	want := []string{
		"start/sms/", "start/voice/limit_reached", "start//invalid_input", "start/sms/internal",
		"check/approved", "check/wrong", "check/ended", "check/limited", "check/refused", "check/failed", "check/failed",
		"limit/sends_per_number", "limit/country_not_allowed",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	none := Observer{}
	none.started(StartRequest{}, Answer[Started]{}, nil)
	none.checked(Answer[Checked]{}, nil)
	none.limited(refused(guard.Decision{Rule: guard.RuleSends}, "JP"))
}
