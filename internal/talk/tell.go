package talk

import (
	"context"
	"slices"
	"time"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/script"
)

// section is a run of parts that is begun only if it can be finished.
type section struct {
	parts   []handle
	readout bool
	// needed sections are begun in any case: what stands before the first
	// readout, and an announcement, which is all there is to say.
	needed bool
	// whole is the index of the part after which a readout counts as played: its
	// last digit. People hang up in the silence behind it.
	whole int
}

// layOut cuts what follows the gate into sections and finds the menu's keys.
// The whole of an announcement, which has no digits, is its one readout, and it
// has no keys.
func (r *run) layOut() {
	s, after := r.c.Script.AfterGate(), Pack(r.c.Script.AfterGate()).parts
	if s.Readouts() == 0 {
		whole := lastIndex(s.Parts, func(p script.Part) bool { return p.Kind != script.KindSilence })
		r.sections = []section{{parts: after, readout: true, needed: true, whole: whole}}
		return
	}
	r.again, r.report = script.KeyAgain, script.KeyReport
	for begin := 0; begin < len(s.Parts); {
		head, end := s.Parts[begin], begin+1
		for end < len(s.Parts) && s.Parts[end].Section == head.Section && s.Parts[end].Readout == head.Readout {
			end++
		}
		sec := section{parts: after[begin:end], readout: head.Readout > 0}
		sec.whole = lastIndex(s.Parts[begin:end], func(p script.Part) bool { return p.Kind == script.KindDigit })
		r.sections, begin = append(r.sections, sec), end
	}
	r.first = slices.IndexFunc(r.sections, func(s section) bool { return s.readout })
	for i := range r.first {
		r.sections[i].needed = true
	}
	for _, p := range s.Parts {
		if p.Kind == script.KindMenu && p.Again != 0 && p.Report != 0 {
			r.again, r.report = p.Again, p.Report
		}
	}
}

// lastIndex is the index of the last part that is so, or of the last part.
func lastIndex(parts []script.Part, is func(script.Part) bool) int {
	for i, p := range slices.Backward(parts) {
		if is(p) {
			return i
		}
	}
	return len(parts) - 1
}

// tell says what follows the gate. The menu's keys break in anywhere.
func (r *run) tell(ctx context.Context) error {
	for i := 0; i < len(r.sections); i++ {
		s := &r.sections[i]
		if !s.needed && !r.fits(s) {
			continue
		}
		key, err := r.section(ctx, s)
		if err != nil {
			return err
		}
		switch key {
		case 0:
		case r.report:
			return errReported
		case r.again:
			r.replays++
			i = r.first - 1
		}
	}
	if r.read == 0 {
		return errNoRoom
	}
	return nil
}

// section says the parts of one section and waits behind a menu. It returns the
// key that broke in, or 0.
func (r *run) section(ctx context.Context, s *section) (byte, error) {
	if s.readout {
		r.begun = true
		r.tellEvent(carrier.Reading, r.read+1)
	}
	for i, p := range s.parts {
		key, err := r.say(ctx, p, r.wanted)
		if err != nil || key != 0 {
			return key, err
		}
		if s.readout && i == s.whole {
			r.read++
			r.tellEvent(carrier.ReadOnce, r.read)
		}
		if !isMenu(p) {
			continue
		}
		if key, err = r.choice(ctx, p); err != nil || key != 0 {
			return key, err
		}
	}
	return 0, nil
}

// isMenu keeps a copy of the part off the stack of its caller, which waits for
// minutes.
//
//go:noinline
func isMenu(h handle) bool { return h.Value().Kind == script.KindMenu }

// choice waits for the keys of a menu.
func (r *run) choice(ctx context.Context, menu handle) (byte, error) {
	r.waiting(menu.Value())
	defer r.waiting(script.Part{})
	return r.key(ctx, r.c.MenuWait, r.wanted)
}

// wanted tells the keys that break in after the gate. "Again" is none before the
// first readout, where it would skip the warning, nor when a replay does not
// fit any more. The gate's last key again, right behind it, is a key that
// bounced or was pressed twice: it must not become a "report".
func (r *run) wanted(k byte) bool {
	switch {
	case k == r.report:
		return k != r.opened || time.Since(r.passed) > doubleKey
	case k == r.again:
		return r.begun && r.replays < mostReplays && r.fits(&r.sections[r.first])
	}
	return false
}

// fits says whether the section ends before the cap. It is worked out in another
// goroutine: it goes deep, and the conversation's stack lasts as long as the call.
func (r *run) fits(s *section) bool {
	lasts := make(chan time.Duration, 1)
	go func() { lasts <- r.lasts(s.parts) }()
	return <-lasts <= time.Until(r.until)
}
