package sipcall

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/media"
)

// ErrGone says that the call is over.
var ErrGone = errors.New("sipcall: the call is over")

// Who ended a call.
const (
	ByUs    = "us"
	ByThem  = "them"
	ByTimer = "timer" // the session timer ran out: the other end is dead
	ByMedia = "media" // the answer's media could not be used
)

// End is how a connected call ended.
type End struct {
	By     string
	Q850   int    // cause of the BYE's Reason header (RFC 3326); 0: none
	Reason string // for a person to read, without numbers
}

// Call is a connected call. Its methods are safe for concurrent use. Hangup must
// be called once it is no longer needed, whoever ended it.
type Call struct {
	c        *Caller
	d        *dialog
	stream   Stream
	path     Path
	answered time.Time

	life context.Context // of the call
	stop context.CancelCauseFunc
	keys chan byte // with Config.InfoKeys; nil: the stream's own

	changing chan struct{} // holds one token: one offer at a time; guards sess
	sess     *session

	mu       sync.Mutex
	end      *End
	stats    media.Stats // as they stood at the end
	secure   bool
	acks     map[uint32]chan *sip.Request // by CSeq: who waits for an ACK
	timer    *time.Timer                  // of the session (RFC 4028)
	update   bool                         // the other end takes UPDATE
	byeSent  chan struct{}                // closed when our BYE has ended; nil: none was sent
	incoming bool
}

// newCall joins a dialog and its media, and makes the dialog's requests find it.
func (c *Caller) newCall(d *dialog, stream Stream, sess *session) *Call {
	call := &Call{c: c, d: d, stream: stream, sess: sess, answered: c.cfg.Now(), acks: map[uint32]chan *sip.Request{}, changing: make(chan struct{}, 1)}
	call.life, call.stop = context.WithCancelCause(context.WithoutCancel(c.life))
	if c.cfg.InfoKeys {
		call.keys = make(chan byte, 64)
		c.work.Go(call.forwardKeys)
	}
	c.mu.Lock()
	c.calls[d.key()] = call
	c.mu.Unlock()
	return call
}

// answered makes a call of the 2xx: ACK first, because every answer is
// acknowledged, then the media.
func (p *placing) answered(t target, sess *session, l leg) (*Call, *Failure) {
	c := p.c
	d := c.newDialog(context.WithoutCancel(p.wish), l.req, l.res, t)
	ack := d.ack(l.req, l.req.CSeq().SeqNo)
	remote, err := sess.accept(l.res.Body())
	if err == nil {
		err = p.stream.Connect(remote)
	}
	if err != nil {
		d.send(ack)
		l.forks.taken(func() { d.send(ack) })
		c.work.Go(func() { _, _ = d.bye(context.WithoutCancel(c.life)) })
		return nil, &Failure{
			Class: Failed, Fault: FaultCarrier, Status: l.res.StatusCode, MayHaveRung: true, Err: err,
			Reason: "the call was answered with media that we cannot use",
		}
	}
	p.path.read(l.res)
	call := c.newCall(d, p.stream, sess)
	call.path, call.secure, call.update = p.path, remote.Send != nil, allows(l.res, sip.UPDATE)
	call.startTimer(timerOf(l.res), l.res.GetHeader("Session-Expires") != nil, true)
	// Only now: the other end may hang up as soon as it has the ACK, and its BYE
	// must find the call.
	d.send(ack)
	l.forks.taken(func() { d.send(ack) })
	return call, nil
}

// mediaAddr is what SDP says of a stream's address.
func (c *Caller) mediaAddr(s Stream, t target) netip.AddrPort {
	local := s.Local()
	switch {
	case c.cfg.PublicIP.IsValid():
		return netip.AddrPortFrom(c.cfg.PublicIP, local.Port())
	case local.Addr().IsUnspecified() || !local.Addr().IsValid():
		return netip.AddrPortFrom(c.ownIP(t.addr.Addr()), local.Port())
	}
	return netip.AddrPortFrom(local.Addr().Unmap(), local.Port())
}

// ID is the Call-ID: random, and fit for a log.
func (call *Call) ID() string { return call.d.id }

// Answered is when the call was answered.
func (call *Call) Answered() time.Time { return call.answered }

// Path is how the call was diverted.
func (call *Call) Path() Path { return call.path }

// Encrypted says whether the sound is SRTP.
func (call *Call) Encrypted() bool { return call.secure }

// Gone is closed when the call is over, whoever ended it.
func (call *Call) Gone() <-chan struct{} { return call.life.Done() }

// End is how the call ended; false: it has not.
func (call *Call) End() (End, bool) {
	call.mu.Lock()
	defer call.mu.Unlock()
	if call.end == nil {
		return End{}, false
	}
	return *call.end, true
}

// Stats are the media's figures so far, or at the end.
func (call *Call) Stats() media.Stats {
	call.mu.Lock()
	over, last := call.end != nil, call.stats
	call.mu.Unlock()
	if over {
		return last
	}
	return call.stream.Stats()
}

// Play plays a clip and returns when its last frame was sent. It fails with
// ErrGone when the call ends, or with ctx's error.
func (call *Call) Play(ctx context.Context, clip *audio.Clip) error {
	return call.during(ctx, func(ctx context.Context) error { return call.stream.Play(ctx, clip) })
}

// Pause sends silence. It fails as Play does.
func (call *Call) Pause(ctx context.Context, d time.Duration) error {
	return call.during(ctx, func(ctx context.Context) error { return call.stream.Pause(ctx, d) })
}

// Begin is Play, or Pause, that returns as it begins; ctx bounds only that. What
// was begun is over when the call ends.
func (call *Call) Begin(ctx context.Context, a media.Act) (*media.Playing, error) {
	if call.life.Err() != nil {
		return nil, ErrGone
	}
	p, err := call.stream.Begin(ctx, a)
	if err != nil && call.life.Err() != nil {
		return nil, ErrGone
	}
	return p, err
}

// SendKeys sends keys: 0-9, *, #, A-D, and the pauses w and W. It fails as Play does.
func (call *Call) SendKeys(ctx context.Context, keys string) error {
	return call.during(ctx, func(ctx context.Context) error { return call.stream.SendKeys(ctx, keys) })
}

// Quiet waits until the other end is silent, at most for longest. It fails as Play does.
func (call *Call) Quiet(ctx context.Context, longest time.Duration) error {
	return call.during(ctx, func(ctx context.Context) error { return call.stream.Quiet(ctx, longest) })
}

// Keys are the keys that the other end presses.
func (call *Call) Keys() <-chan byte {
	if call.keys != nil {
		return call.keys
	}
	return call.stream.Keys()
}

// during runs f until it returns or the call ends.
func (call *Call) during(ctx context.Context, f func(context.Context) error) error {
	if call.life.Err() != nil {
		return ErrGone
	}
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(call.life, cancel)()
	err := f(inner)
	if call.life.Err() != nil && err != nil {
		return ErrGone
	}
	return err
}

// forwardKeys joins the stream's keys with those of INFO.
func (call *Call) forwardKeys() {
	in := call.stream.Keys()
	for {
		select {
		case k, ok := <-in:
			if !ok {
				return
			}
			call.pressed(k)
		case <-call.life.Done():
			return
		}
	}
}

// pressed delivers a key of INFO or of the stream. Keys that nobody reads are lost.
func (call *Call) pressed(k byte) {
	select {
	case call.keys <- k:
	default:
	}
}

// Hangup ends the call and closes its media. It waits for the answer to our BYE
// a few seconds at most, and goes on trying beside that. Later calls do nothing.
func (call *Call) Hangup(ctx context.Context) error {
	call.finish(End{By: ByUs, Reason: "we hung up"}, true)
	call.mu.Lock()
	sent := call.byeSent
	call.mu.Unlock()
	if sent == nil {
		return nil
	}
	limit := time.NewTimer(byeWait)
	defer limit.Stop()
	select {
	case <-sent:
		return nil
	case <-limit.C:
		return errors.New("sipcall: hang up: the other end does not answer our BYE yet")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// finish ends the call once. It sends BYE where the other end did not.
func (call *Call) finish(end End, bye bool) {
	call.mu.Lock()
	if call.end != nil {
		call.mu.Unlock()
		return
	}
	call.end, call.stats = &end, call.stream.Stats()
	if call.timer != nil {
		call.timer.Stop()
	}
	var sent chan struct{}
	if bye {
		sent = make(chan struct{})
		call.byeSent = sent
	}
	call.mu.Unlock()
	c := call.c
	c.mu.Lock()
	delete(c.calls, call.d.key())
	if call.incoming {
		c.incoming--
	}
	c.mu.Unlock()
	call.stop(ErrGone)
	_ = call.stream.Close() // the call is over either way
	if !bye {
		call.d.done()
		return
	}
	c.work.Go(func() {
		defer close(sent)
		_, _ = call.d.bye(context.WithoutCancel(c.life)) // nothing is left to do if it is refused
	})
}
