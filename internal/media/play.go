package media

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pincall/pincall/internal/audio"
)

var (
	errNotConnected = errors.New("the stream is not connected")
	errCut          = errors.New("media: ended before its time")
)

// Play sends a clip, every frame at its own time, and returns when the last one
// was sent. When ctx ends it falls silent at once and returns ctx's error;
// ErrClosed when the stream was closed. On hold it waits, and then goes on where it
// was.
func (s *Stream) Play(ctx context.Context, clip *audio.Clip) error {
	return s.perform(ctx, "play", turn{clip: clip})
}

// Pause sends silence for d, rounded up to frames, and returns after the last
// one. Errors as Play's.
func (s *Stream) Pause(ctx context.Context, d time.Duration) error {
	return s.perform(ctx, "pause", pause(d))
}

// pause is silence for d, rounded up to frames.
func pause(d time.Duration) turn {
	return turn{n: int((d + audio.FrameDuration - 1) / audio.FrameDuration)}
}

// Act is something to be sent: a clip or, without one, silence.
type Act struct {
	Clip  *audio.Clip
	Pause time.Duration
}

// Playing is an act that was begun.
type Playing struct {
	turn
	stream *Stream
}

// Begin is Play, or Pause, for a caller who waits for other things, too: it
// returns as the act begins. ctx bounds only that. The Playing must be ended.
func (s *Stream) Begin(ctx context.Context, a Act) (*Playing, error) {
	if a.Clip == nil {
		return s.begin(ctx, "pause", pause(a.Pause))
	}
	return s.begin(ctx, "play", turn{clip: a.Clip})
}

// Done is closed when the last frame was sent, or when the stream was closed.
func (p *Playing) Done() <-chan struct{} { return p.done }

// End falls silent at once where the act is not over, and lets the next one
// begin. It is called once. nil: the last frame was sent; ErrClosed when the
// stream was closed.
func (p *Playing) End() error {
	p.stream.out.cut(&p.turn)
	defer func() { <-p.stream.turn }()
	select {
	case <-p.done:
		if p.broken {
			return ErrClosed
		}
		return nil
	default:
		return errCut
	}
}

// SendKeys presses keys, 0-9, *, #, A-D, one after the other: as events where
// they were negotiated, else as tones. A w waits half a second, a W one. Errors
// as Play's; an unknown key is an error before any is sent, and is not repeated
// in it.
func (s *Stream) SendKeys(ctx context.Context, keys string) error {
	for i := range len(keys) {
		if eventCode(keys[i]) < 0 && keys[i] != 'w' && keys[i] != 'W' {
			return fmt.Errorf("media: send keys: number %d is none of 0-9, *, #, A-D, w and W", i+1)
		}
	}
	for i := range len(keys) {
		if err := s.sendKey(ctx, keys[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stream) sendKey(ctx context.Context, key byte) error {
	switch {
	case key == 'w':
		return s.Pause(ctx, shortWait)
	case key == 'W':
		return s.Pause(ctx, longWait)
	}
	press := turn{event: true, code: uint8(eventCode(key)), n: keyFrames + endPackets}
	if !s.out.keysByEvent() {
		tone, err := audio.Tone(key, keyFrames*audio.FrameDuration)
		if err != nil {
			return fmt.Errorf("media: send keys: %w", err)
		}
		press = turn{clip: audio.NewClip(tone)}
	}
	if err := s.perform(ctx, "send keys", press); err != nil {
		return err
	}
	return s.Pause(ctx, keyPause)
}

// perform begins t and waits for its end.
func (s *Stream) perform(ctx context.Context, what string, t turn) error {
	p, err := s.begin(ctx, what, t)
	if err != nil {
		return err
	}
	select {
	case <-p.done:
		return p.End()
	case <-ctx.Done():
		_ = p.End() // ctx is why
		return ctx.Err()
	}
}

// begin waits for its turn, and takes it.
func (s *Stream) begin(ctx context.Context, what string, t turn) (*Playing, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.closed:
		return nil, ErrClosed
	}
	t.done = make(chan struct{})
	p := &Playing{turn: t, stream: s}
	if err := s.out.begin(&p.turn); err != nil {
		<-s.turn
		if errors.Is(err, ErrClosed) {
			return nil, err
		}
		return nil, fmt.Errorf("media: %s: %w", what, err)
	}
	return p, nil
}

// The end of a "hello".
const (
	// beginLimit is how long the person may take to begin to speak.
	beginLimit = 1200 * time.Millisecond
	// helloPause ends what the person said. The detector adds the 240 ms that it
	// bridges within a sentence.
	helloPause = 300 * time.Millisecond
)

// Quiet waits out the "hello" of the person: it returns nil when the other end
// has spoken and fallen silent, when it has not begun to speak for 1.2 s, or
// after longest. Silence goes on being sent meanwhile. When ctx ends it returns
// ctx's error; ErrClosed when the stream was closed.
func (s *Stream) Quiet(ctx context.Context, longest time.Duration) error {
	start := time.Now()
	stop := s.in.listen()
	defer stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.closed:
			return ErrClosed
		}
		until := start.Add(beginLimit)
		if spoke := s.in.lastSpoke(); !spoke.IsZero() {
			until = spoke.Add(helloPause)
		}
		if end := start.Add(longest); end.Before(until) {
			until = end
		}
		left := time.Until(until)
		if left <= 0 {
			return nil
		}
		timer.Reset(left)
	}
}
