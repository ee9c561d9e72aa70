package main

import (
	"errors"
	"math"

	"github.com/pincall/pincall/bench/ear/line"
)

// quiet is a run of samples that is silent: from to upTo.
type quiet struct{ from, upTo int }

func (q quiet) ms() float64 { return 1000 * float64(q.upTo-q.from) / line.Rate }

const (
	silent    = 24  // of 32768: what a silence of the program may hold after G.711
	shortest  = 150 // ms; no silence between parts is shorter
	strayCost = 40  // ms of misfit that a pause inside of a phrase is worth
)

// place finds every part of a script in its sound: the silences between parts are
// known, and the quiet runs of the sound are matched with them in order, so that
// they are as little longer than they should be as can be. (A unit begins and
// ends in silence of its own, and a phrase may pause.)
func place(parts []part, sound []int16) ([]placed, error) {
	runs := quietRuns(sound)
	gaps, between := silences(parts)
	chosen, ok := match(gaps, runs)
	if !ok {
		return nil, errors.New("the silences of the parts are not in the sound")
	}
	out := make([]placed, 0, len(parts))
	at := 0
	for g := range gaps {
		if p := between[g]; p != nil {
			out = append(out, placed{*p, at, runs[chosen[g]].from})
		}
		out = append(out, placed{part{Silence: int(gaps[g])}, runs[chosen[g]].from, runs[chosen[g]].upTo})
		at = runs[chosen[g]].upTo
	}
	if p := between[len(gaps)]; p != nil {
		out = append(out, placed{*p, at, len(sound)})
	}
	return out, nil
}

// silences lists the silences of a script in ms, adjoining ones added up, and the
// part before each; the last is the part behind them all. Parts with no silence
// between them count as one.
func silences(parts []part) (gaps []float64, between []*part) {
	var last *part
	joined := false
	for i := range parts {
		p := &parts[i]
		ms := float64(p.Silence)
		if p.Silence == 0 {
			last, joined = p, false
			if p.Gate == nil && p.Menu == nil {
				continue
			}
			ms = promptRest
		}
		if joined {
			gaps[len(gaps)-1] += ms
			continue
		}
		gaps, between, joined = append(gaps, ms), append(between, last), true
		last = nil
	}
	return gaps, append(between, last)
}

func quietRuns(sound []int16) []quiet {
	var runs []quiet
	from := 0
	for i := 0; i <= len(sound); i++ {
		if i < len(sound) && sound[i] >= -silent && sound[i] <= silent {
			continue
		}
		if q := (quiet{from, i}); q.ms() >= shortest {
			runs = append(runs, q)
		}
		from = i + 1
	}
	return runs
}

// match gives the run for each gap, in order, by dynamic programming.
func match(gaps []float64, runs []quiet) ([]int, bool) {
	cost := make([][]float64, len(gaps)+1) // of the first g gaps in the first r runs
	for g := range cost {
		cost[g] = make([]float64, len(runs)+1)
		for r := range cost[g] {
			switch {
			case g == 0:
				cost[g][r] = strayCost * float64(r)
				continue
			case r == 0:
				cost[g][r] = math.Inf(1)
				continue
			}
			cost[g][r] = min(cost[g][r-1]+strayCost, cost[g-1][r-1]+misfit(gaps[g-1], runs[r-1]))
		}
	}
	chosen := make([]int, len(gaps))
	for g, r := len(gaps), len(runs); g > 0; r-- {
		if r == 0 || math.IsInf(cost[g][r], 1) {
			return nil, false
		}
		if cost[g][r] == cost[g-1][r-1]+misfit(gaps[g-1], runs[r-1]) {
			g--
			chosen[g] = r - 1
		}
	}
	return chosen, true
}

// misfit is how much longer a run is than a gap, in ms; it cannot be shorter.
func misfit(gap float64, run quiet) float64 {
	if run.ms() < gap-1 {
		return math.Inf(1)
	}
	return run.ms() - gap
}
