package media

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pincall/pincall/internal/audio"
)

func TestPlaySendsEveryFrameInOrder(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, e *Engine) {
		other := newPeer(t, "127.0.0.1")
		s := open(t, pool(t, e, PoolConfig{}))
		connect(t, s, Remote{RTP: other.at, Codec: audio.PCMA})
		clip := counted(30)
		done := make(chan error, 1)
		go func() { done <- s.Play(deadline(t), clip) }()

		var got [][]byte
		var marks []bool
		last, payload := other.packet()
		if !last.mark {
			t.Error("the first packet has no mark")
		}
		for len(got) < 30 {
			if last.payload != 8 || len(payload) != audio.FrameSamples {
				t.Fatalf("payload type %d of %d bytes", last.payload, len(payload))
			}
			if payload[0] != audio.PCMA.Silence() {
				got, marks = append(got, payload), append(marks, last.mark)
			}
			h, next := other.packet()
			if h.seq != last.seq+1 || h.ts != last.ts+160 || h.ssrc != last.ssrc {
				t.Fatalf("%+v follows %+v", h, last)
			}
			last, payload = h, next
		}
		if diff := cmp.Diff(clip.Frames(audio.PCMA), got); diff != "" {
			t.Error(diff)
		}
		if want := append([]bool{true}, make([]bool, 29)...); !cmp.Equal(want, marks) {
			t.Errorf("marks %v", marks)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if payload[0] != audio.PCMA.Silence() {
			t.Error("no silence after the clip")
		}
	})
}

func TestPlayEndsWithItsContext(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, e *Engine) {
		other := newPeer(t, "127.0.0.1")
		s := open(t, pool(t, e, PoolConfig{}))
		if err := s.Play(deadline(t), counted(1)); !errors.Is(err, errNotConnected) {
			t.Errorf("before Connect: %v", err)
		}
		connect(t, s, Remote{RTP: other.at})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Play(ctx, counted(120)) }()
		for silent := true; silent; {
			_, payload := other.packet()
			silent = payload[0] == audio.PCMU.Silence()
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		sent := s.Stats().Sent
		for {
			h, payload := other.packet()
			if payload[0] == audio.PCMU.Silence() {
				break
			}
			if uint64(h.seq-s.out.seq) > sent {
				t.Fatal("sound after the end")
			}
		}
		// The next one is not disturbed by the one that was cut.
		start := s.Stats().Sent
		if err := s.Pause(deadline(t), 100*time.Millisecond); err != nil {
			t.Error(err)
		}
		if n := s.Stats().Sent - start; n < 5 {
			t.Errorf("a pause of 5 frames ended after %d", n)
		}
		go func() { done <- s.Pause(context.Background(), time.Hour) }()
		waiting := make(chan error, 1)
		go func() { waiting <- s.Pause(context.Background(), time.Hour) }()
		eventually(t, "a turn", func() bool { return len(s.turn) == 1 })
		_ = s.Close()
		for _, c := range []chan error{done, waiting} {
			if err := <-c; !errors.Is(err, ErrClosed) {
				t.Errorf("closed: %v", err)
			}
		}
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			t.Error(err)
		}
		if err := s.Connect(Remote{RTP: other.at}); !errors.Is(err, ErrClosed) {
			t.Errorf("Connect after Close: %v", err)
		}
	})
}

func TestBegin(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, e *Engine) {
		s, _ := couple(t, pool(t, e, PoolConfig{Bind: loopback()}), Remote{})
		begin := func(a Act) *Playing {
			t.Helper()
			p, err := s.Begin(deadline(t), a)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		whole := begin(Act{Clip: counted(3)})
		<-whole.Done()
		if err := whole.End(); err != nil {
			t.Errorf("played to its end: %v", err)
		}
		cut := begin(Act{Pause: time.Hour})
		if err := cut.End(); err == nil {
			t.Error("cut: no error")
		}
		closed := begin(Act{Pause: time.Hour}) // the turn was given back
		_ = s.Close()
		<-closed.Done()
		if err := closed.End(); !errors.Is(err, ErrClosed) {
			t.Errorf("closed: %v", err)
		}
		if _, err := s.Begin(deadline(t), Act{Pause: time.Second}); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestHoldSendsNothingAndWhatPlaysWaits(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, e *Engine) {
		other := newPeer(t, "127.0.0.1")
		s := open(t, pool(t, e, PoolConfig{}))
		connect(t, s, Remote{RTP: other.at})
		before, _ := other.packet()
		connect(t, s, Remote{Hold: true})
		sent := s.Stats().Sent
		clip, err := s.Begin(deadline(t), Act{Clip: counted(10)})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-clip.Done():
			t.Fatal("it was played to somebody who does not listen")
		case <-time.After(400 * time.Millisecond):
		}
		if now := s.Stats().Sent; now != sent {
			t.Errorf("%d packets on hold", now-sent)
		}
		connect(t, s, Remote{RTP: other.at, Codec: audio.PCMA})
		for {
			h, payload := other.packet()
			if h.seq != before.seq+1 {
				t.Fatalf("sequence number %d follows %d", h.seq, before.seq)
			}
			if h.payload == 0 {
				before = h
				continue
			}
			if gap := h.ts - before.ts; gap < 11*160 || !h.mark || payload[0] != counted(10).Frames(audio.PCMA)[0][0] {
				t.Errorf("after 20 frames on hold: %d samples later, mark %v, byte %x", gap, h.mark, payload[0])
			}
			<-clip.Done()
			if err := clip.End(); err != nil {
				t.Error(err)
			}
			return
		}
	})
}

func TestKeysByEvent(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, e *Engine) {
		const keys = "0123456789*#ABCD11"
		a, b := couple(t, pool(t, e, PoolConfig{}), Remote{Events: 96, EventsIn: 96})
		errs := make(chan error, 1)
		go func() { errs <- a.SendKeys(deadline(t), keys) }()
		if got := pressed(t, b, len(keys)); got != keys {
			t.Errorf("%q came", got)
		}
		if err := <-errs; err != nil {
			t.Error(err)
		}
		if err := a.Pause(deadline(t), 100*time.Millisecond); err != nil || len(b.Keys()) != 0 {
			t.Errorf("%d keys too many, %v", len(b.Keys()), err)
		}
	})
}

func TestKeysInBand(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, e *Engine) {
		const keys = "159*w0#"
		a, b := couple(t, pool(t, e, PoolConfig{}), Remote{EventsIn: 101, Codec: audio.PCMA})
		errs := make(chan error, 1)
		go func() { errs <- a.SendKeys(deadline(t), keys) }()
		if got := pressed(t, b, 6); got != "159*0#" {
			t.Errorf("%q came", got)
		}
		if err := <-errs; err != nil {
			t.Error(err)
		}
		if err := a.SendKeys(deadline(t), "12x"); err == nil || bytes.ContainsRune([]byte(err.Error()), 'x') {
			t.Errorf("an unknown key: %v", err)
		}
	})
}

// A phone that was not asked for events, or answered another type than it sends.
func TestEventsOnEitherType(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, e *Engine) {
		other := newPeer(t, "127.0.0.1")
		s := open(t, pool(t, e, PoolConfig{}))
		connect(t, s, Remote{RTP: other.at, Events: 96, EventsIn: 101})
		var payload [eventSize]byte
		for i, pt := range []uint8{101, 96, 97} {
			eventAt(uint8(i+1), 0).put(payload[:])
			other.send(s.Local(), header{payload: pt, seq: uint16(i), ts: uint32(1000 * i), ssrc: 9, mark: true}, payload[:])
		}
		if got := pressed(t, s, 2); got != "12" {
			t.Errorf("%q came", got)
		}
		eventually(t, "a packet of another type counted", func() bool { return s.Stats().Foreign == 1 })
	})
}

func TestQuiet(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, e *Engine) {
		a, b := couple(t, pool(t, e, PoolConfig{}), Remote{})
		start := time.Now()
		if err := a.Quiet(deadline(t), patience); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d < beginLimit || d > patience/2 {
			t.Errorf("silence was waited for %v", d)
		}
		start = time.Now()
		go func() { _ = b.Play(deadline(t), tone(1500*time.Millisecond)) }()
		if err := a.Quiet(deadline(t), patience); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d < 1500*time.Millisecond || d > patience/2 {
			t.Errorf("1.5 s of speech were waited out in %v", d)
		}
		start = time.Now()
		if err := a.Quiet(deadline(t), 10*time.Millisecond); err != nil || time.Since(start) > patience/2 {
			t.Errorf("the longest wait: %v, %v", err, time.Since(start))
		}
		a.in.mu.Lock()
		quiets := a.in.quiets
		a.in.mu.Unlock()
		if quiets != 0 {
			t.Errorf("%d still listen", quiets)
		}
	})
}
