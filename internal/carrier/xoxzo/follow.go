package xoxzo

import (
	"context"
	"strings"
	"time"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/outcome"
	client "github.com/pincall/pincall/xoxzo"
)

// unknownAfter is after how many answers of "no such call" in a row it is
// believed: Xoxzo may know a call a moment after it gave out its id.
const unknownAfter = 5

// Follow asks for the status, with growing waits, until there is an end.
func (c *Carrier) Follow(ctx context.Context, ref carrier.Ref, report func(carrier.Event)) (outcome.Ending, error) {
	return c.FollowHinted(ctx, ref, nil, report)
}

// FollowHinted asks at once, too, when there is a hint. Xoxzo does not sign what it
// posts, so a callback settles nothing and its content is not even read.
func (c *Carrier) FollowHinted(ctx context.Context, ref carrier.Ref, hints <-chan struct{}, report func(carrier.Event)) (outcome.Ending, error) {
	q := c.question(ref, report)
	if q.ask == nil {
		return outcome.Ending{
			Outcome: outcome.CarrierFailed, Fault: outcome.FaultOurs, MayHaveRung: true,
			Reason: "it cannot be followed any more; the phone may have rung", Detail: "no credentials, or not a reference of this carrier",
		}, nil
	}
	deadline := time.NewTimer(q.giveUp)
	defer deadline.Stop()
	atDeadline, unknown := q.fallback, 0
	for wait := c.cfg.FirstPoll; ; wait = min(wait*3/2, c.cfg.LongestPoll) {
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return outcome.Ending{}, ctx.Err()
		case <-deadline.C:
			t.Stop()
			return atDeadline, nil
		case <-hints:
			t.Stop()
		case <-t.C:
		}
		now, err := q.ask(ctx)
		switch {
		case ctx.Err() != nil:
			return outcome.Ending{}, ctx.Err()
		case client.IsNotFound(err):
			if unknown++; unknown == unknownAfter {
				return lostSight("the carrier does not know the attempt; the phone may have rung"), nil
			}
		case err != nil:
			c.cfg.Log.Warn("a status cannot be read and will be asked for again", "error", err)
		case now.ended:
			return now.ending, nil
		default:
			atDeadline, unknown = now.atDeadline, 0
		}
	}
}

// reading is one look at an attempt.
type reading struct {
	ended  bool
	ending outcome.Ending
	// atDeadline is the ending to be told when nothing more is learned.
	atDeadline outcome.Ending
}

// question is how the status of one attempt is asked for.
type question struct {
	ask    func(context.Context) (reading, error)
	giveUp time.Duration
	// fallback is the ending to be told when nothing was learned at all.
	fallback outcome.Ending
}

func (c *Carrier) question(ref carrier.Ref, report func(carrier.Event)) question {
	if c.api == nil {
		return question{}
	}
	if id, ok := strings.CutPrefix(string(ref), callRef); ok {
		return question{c.askCall(id, report), c.cfg.GiveUp, noEnd()}
	}
	if id, ok := strings.CutPrefix(string(ref), messageRef); ok {
		return question{c.askMessage(id), 3 * c.cfg.GiveUp, taken()}
	}
	return question{}
}

func (c *Carrier) askCall(id string, report func(carrier.Event)) func(context.Context) (reading, error) {
	told := false
	return func(ctx context.Context) (reading, error) {
		call, err := c.api.Call(ctx, id)
		if err != nil {
			return reading{}, err
		}
		if call.Answered() && !told {
			told = true
			report(carrier.Event{Kind: carrier.Answered})
		}
		r := reading{ended: call.Ended(), ending: ofCall(call), atDeadline: noEnd()}
		if call.Answered() {
			r.atDeadline = r.ending
		}
		return r, nil
	}
}

func (c *Carrier) askMessage(id string) func(context.Context) (reading, error) {
	return func(ctx context.Context) (reading, error) {
		m, err := c.api.SMS(ctx, id)
		if err != nil {
			return reading{}, err
		}
		return reading{ended: m.Status.Ended(), ending: ofMessage(m), atDeadline: taken()}, nil
	}
}

func lostSight(reason string) outcome.Ending {
	return outcome.Ending{Outcome: outcome.CarrierFailed, Fault: outcome.FaultCarrier, MayHaveRung: true, Reason: reason}
}

// noEnd is the ending of a call whose end was never told.
func noEnd() outcome.Ending { return lostSight("the carrier told of no end; the phone may have rung") }

// taken is the ending of a message of which nothing more was learned.
func taken() outcome.Ending {
	return outcome.Ending{Outcome: outcome.Sent, Reason: "the carrier took it and told nothing more", MayHaveRung: true}
}
