package app

import (
	"context"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
)

// logger makes the log that the file asks for. On a file, a terminal or a pipe its
// lines are written together while they are many; the second value writes what
// waits.
func (c Config) logger(f LogFile) (*slog.Logger, func()) {
	var level slog.Level
	_ = level.UnmarshalText([]byte(f.Level)) // judged with the file
	opts := &slog.HandlerOptions{Level: level}
	out, paced := c.Stderr, (*pacer)(nil)
	if file, ok := out.(*os.File); ok {
		paced = newPacer(file)
		out = paced
	}
	var h slog.Handler = slog.NewTextHandler(out, opts)
	if f.Format == "json" {
		h = slog.NewJSONHandler(out, opts)
	}
	if paced == nil {
		return slog.New(h), func() {}
	}
	return slog.New(&prompt{h, paced}), paced.flush
}

// Of lines that come in a burst, each waits so long at most, and together they
// take no more room than this.
const (
	linePause = 10 * time.Millisecond
	lineRoom  = 64 << 10
)

// pacer writes what it is given: at once where nothing was written just before, and
// what follows in a burst a little later, together. Safe for concurrent use.
type pacer struct {
	mu    sync.Mutex
	to    io.Writer
	last  time.Time   // when it was last written
	waits []byte      // what is not yet written
	due   *time.Timer // writes what waits
}

func newPacer(to io.Writer) *pacer {
	p := &pacer{to: to}
	p.due = time.AfterFunc(linePause, p.flush)
	return p
}

// Write takes one line or several.
func (p *pacer) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waits) == 0 {
		if now := time.Now(); now.Sub(p.last) > linePause {
			p.last = now
			return p.to.Write(b)
		}
		p.due.Reset(linePause)
	}
	if p.waits = append(p.waits, b...); len(p.waits) >= lineRoom {
		p.write()
	}
	return len(b), nil
}

// flush writes what waits.
func (p *pacer) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.write()
}

// write is flush under the lock.
func (p *pacer) write() {
	if len(p.waits) > 0 {
		p.last = time.Now()
		_, _ = p.to.Write(p.waits) // a log that cannot be written has nobody to be told
		p.waits = p.waits[:0]
	}
}

// prompt has a line that warns, and what waits before it, written at once.
type prompt struct {
	slog.Handler
	pacer *pacer
}

// Handle is slog.Handler's.
func (p *prompt) Handle(ctx context.Context, r slog.Record) error {
	err := p.Handler.Handle(ctx, r)
	if r.Level >= slog.LevelWarn {
		p.pacer.flush()
	}
	return err
}

// WithAttrs is slog.Handler's.
func (p *prompt) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &prompt{p.Handler.WithAttrs(attrs), p.pacer}
}

// WithGroup is slog.Handler's.
func (p *prompt) WithGroup(name string) slog.Handler {
	return &prompt{p.Handler.WithGroup(name), p.pacer}
}
