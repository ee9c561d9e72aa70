package speech

import (
	"context"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"github.com/pincall/pincall/internal/script"
)

// fillPatience is how long an engine may take to say a whole language: about
// fifty short texts.
const fillPatience = 2 * time.Minute

// complete adds to a language's voice what its recordings lack, said by an
// engine, once. The ten digits are all made, in a fixed order and whatever the
// code is, so that an engine learns nothing of one. A failure is not kept: the
// next call tries again.
func (s *Speaker) complete(ctx context.Context, l *language) (*voice, error) {
	done := l.making.DoChan("", func() (any, error) {
		if v := l.made.Load(); v != nil {
			return v, nil
		}
		alone, cancel := context.WithTimeout(context.WithoutCancel(ctx), fillPatience)
		defer cancel()
		v, err := s.fill(alone, l)
		if err != nil {
			return nil, fmt.Errorf("speech: say the phrases of %s: %w", l.tag, err)
		}
		l.made.Store(v)
		return v, nil
	})
	select {
	case r := <-done:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*voice), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("speech: %w", ctx.Err())
	}
}

func (s *Speaker) fill(ctx context.Context, l *language) (*voice, error) {
	v, err := l.recorded()
	if err != nil {
		return nil, err
	}
	missing := l.missing(v)
	units := make([][]*unit, len(missing))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cap(s.synth.working))
	for i, name := range missing {
		group.Go(func() error {
			var err error
			units[i], err = s.vocabulary(ctx, l.names[name])
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	more := make(map[string][]*unit, len(missing))
	for i, name := range missing {
		more[name] = units[i]
	}
	return v.with(l, more), nil
}

// vocabulary is a unit said by an engine. A digit is said twice, once as if more
// were to come: the renditions then differ in melody.
func (s *Speaker) vocabulary(ctx context.Context, p script.Part) ([]*unit, error) {
	texts := []string{p.Words}
	if p.Kind == script.KindDigit {
		texts = append(texts, p.Words+comma(p.Words))
	}
	var units []*unit
	for _, text := range texts {
		u, err := s.synth.once(ctx, p.Lang, text, rest(p.Words))
		if err != nil {
			return nil, err
		}
		units = append(units, u)
	}
	return units, nil
}

// comma is the mark of the words' script.
func comma(words string) string {
	if r, _ := utf8.DecodeRuneInString(words); unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) {
		return "、"
	}
	return ","
}
