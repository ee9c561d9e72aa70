package main

import (
	"context"
	"fmt"

	"github.com/pincall/pincall/bench/ear/line"
	"github.com/pincall/pincall/bench/ear/score"
)

// listener writes down the digits of readouts. bare tells that they have no word
// before them, as one hears at once.
type listener func(ctx context.Context, bare bool, readouts [][]int16) ([]string, error)

// row is one line of the table: a form over a line.
type row struct {
	form, condition       string
	first, second, either score.Rate // of codes
	six                   score.Rate // first, of codes with six digits
	whole                 score.Rate // the majority of all readouts is the code
	majority              score.Rate // of digits: the majority at its position is right
	wrongTwice            score.Rate // of codes: both readouts equal and wrong
	seconds               []float64  // to the end of the second readout, of six digits
	confusions            score.Confusions
}

// hear sends messages through a line and has them listened to.
func (l listener) hear(ctx context.Context, f form, condition string, all []message) (row, error) {
	r := row{form: f.name, condition: condition, confusions: score.Confusions{}}
	var sounds [][]int16
	for i, m := range all {
		through, err := line.Through(ctx, condition, m.sound, seed(condition, i))
		if err != nil {
			return r, err
		}
		for _, at := range m.readouts {
			sounds = append(sounds, through[min(at.from, len(through)):min(at.upTo, len(through))])
		}
	}
	heard, err := l(ctx, f.bare, sounds)
	if err != nil {
		return r, fmt.Errorf("%s, %s: %w", f.name, condition, err)
	}
	for _, m := range all {
		r.count(m, heard[:len(m.readouts)])
		heard = heard[len(m.readouts):]
	}
	return r, nil
}

// count judges one message.
func (r *row) count(m message, heard []string) {
	first, second := heard[0] == m.pin, heard[1] == m.pin
	r.first.Add(first)
	r.second.Add(second)
	r.either.Add(first || second)
	r.wrongTwice.Add(heard[0] == heard[1] && !first)
	if len(m.pin) == 6 {
		r.six.Add(first)
		r.seconds = append(r.seconds, m.second)
	}
	together := score.Majority(heard)
	r.whole.Add(together == m.pin)
	inPlace, _ := score.Align(m.pin, together)
	for i := range m.pin {
		r.majority.Add(inPlace[i] == m.pin[i])
	}
	for _, h := range heard {
		r.confusions.Add(m.pin, h)
	}
}

// mean is the mean of the seconds; 0 of none.
func (r row) mean() float64 {
	sum := 0.0
	for _, s := range r.seconds {
		sum += s
	}
	return sum / float64(max(len(r.seconds), 1))
}
