package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/pincall/pincall/internal/carrier/trunk"
	"github.com/pincall/pincall/internal/media"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/sipcall"
	"github.com/pincall/pincall/internal/speech"
)

// lines are the trunks of a process and the media that they share. The zero value
// has none.
type lines struct {
	trunks  []*line
	speaker *speech.Speaker // of all trunks; nil: not made yet
	engine  *media.Engine   // nil: not started
}

// line is one trunk and its ports.
type line struct {
	name    string
	carrier *trunk.Carrier
	media   media.PoolConfig
	pool    *media.Pool // nil: not started
}

var errNoMedia = errors.New("the trunk is not started")

// open reserves a call's media.
func (l *line) open() (sipcall.Stream, error) {
	if l.pool == nil {
		return nil, errNoMedia
	}
	s, err := l.pool.Open()
	if err != nil {
		return nil, err // not s: a nil *media.Stream is no nil Stream
	}
	return s, nil
}

// add builds a trunk. It listens nowhere yet.
func (l *lines) add(c Config, r RouteFile, f File) (*trunk.Carrier, error) {
	if l.speaker == nil {
		var err error
		if l.speaker, err = c.speaker(f.Voices, c.Log); err != nil {
			return nil, err
		}
	}
	cfg, err := c.trunk(r.Trunk, l.speaker)
	if err != nil {
		return nil, fmt.Errorf("trunk.%w", err)
	}
	cfg.Warm = spokenIn(f.Guard.Countries)
	one := &line{name: r.Name, media: r.Trunk.mediaConfig(cfg.Caller.Bind)}
	cfg.Caller.Name, cfg.Caller.Open, cfg.Log = r.Name, one.open, c.Log.With("route", r.Name)
	if one.carrier, err = trunk.New(cfg); err != nil {
		return nil, err
	}
	l.trunks = append(l.trunks, one)
	return one.carrier, nil
}

// spokenIn are the languages that calls to some countries begin in, unless the
// request names another.
func spokenIn(countries []string) []string {
	var out []string
	for _, country := range countries {
		if lang := script.ForCountry(country); !slices.Contains(out, lang) {
			out = append(out, lang)
		}
	}
	return out
}

// start opens the media and every trunk. Close must follow, also after an error.
func (l *lines) start(ctx context.Context, c Config) (err error) {
	if len(l.trunks) == 0 {
		return nil
	}
	if l.engine, err = media.New(media.Config{Log: c.Log}); err != nil {
		return err
	}
	// The pacers' threads are locked, and each holds a processor of the Go runtime while it runs: without some of its own, a
	// pacer that wakes would wait until another goroutine gives one up.
	raiseProcessors(c.Getenv, l.engine.Threads())
	for _, one := range l.trunks {
		if one.pool, err = l.engine.Pool(one.media); err != nil {
			return fmt.Errorf("route %s: %w", one.name, err)
		}
		if err := one.carrier.Start(ctx); err != nil {
			return fmt.Errorf("route %s: %w: choose another trunk.bind", one.name, err)
		}
	}
	return nil
}

// close hangs up all calls, closes the trunks, and then the media.
func (l *lines) close() error {
	errs := make([]error, len(l.trunks)+1)
	var all sync.WaitGroup
	for i, one := range l.trunks {
		all.Go(func() { errs[i] = one.carrier.Close() })
	}
	all.Wait()
	if l.engine != nil {
		errs[len(l.trunks)] = l.engine.Close()
	}
	return errors.Join(errs...)
}
