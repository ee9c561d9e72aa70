// Package score judges what a listener wrote down against what was said: whole
// readouts, and the majority per digit position of several aligned readouts,
// with Wilson's intervals. It knows digits as text and nothing of sound.
package score

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Lost stands in an alignment where nothing was heard.
const Lost = '-'

// Align gives, for every digit of said, the one that was heard in its place, or
// Lost, by the least number of substitutions, losses and insertions. Digits that
// were heard and not said come back as extra. Of equally short alignments the
// one with more substitutions is taken.
func Align(said, heard string) (inPlace []byte, extra string) {
	n, m := len(said), len(heard)
	cost := distances(said, heard)
	inPlace = make([]byte, n)
	var inserted []byte
	for i, j := n, m; i > 0 || j > 0; {
		switch {
		case i > 0 && j > 0 && cost[i][j] == cost[i-1][j-1]+differ(said[i-1], heard[j-1]):
			i, j = i-1, j-1
			inPlace[i] = heard[j]
		case i > 0 && cost[i][j] == cost[i-1][j]+1:
			i--
			inPlace[i] = Lost
		default:
			j--
			inserted = append(inserted, heard[j])
		}
	}
	slices.Reverse(inserted)
	return inPlace, string(inserted)
}

// distances[i][j] is the edit distance of said[:i] and heard[:j].
func distances(said, heard string) [][]int {
	d := make([][]int, len(said)+1)
	for i := range d {
		d[i] = make([]int, len(heard)+1)
		for j := range d[i] {
			switch {
			case i == 0:
				d[i][j] = j
			case j == 0:
				d[i][j] = i
			default:
				d[i][j] = min(d[i-1][j-1]+differ(said[i-1], heard[j-1]), d[i-1][j]+1, d[i][j-1]+1)
			}
		}
	}
	return d
}

func differ(a, b byte) int {
	if a == b {
		return 0
	}
	return 1
}

// Majority puts readouts of one code together as a listener does who writes each
// down below the last one: they are aligned with the one among them that needs
// the fewest edits to become all the others, and each position takes the digit
// that most of them have there; between equals, the earliest readout's. It never
// sees what was said, nor how many digits there were.
func Majority(readouts []string) string {
	if len(readouts) == 0 {
		return ""
	}
	base := slices.MinFunc(readouts, func(a, b string) int { return cmp.Compare(total(a, readouts), total(b, readouts)) })
	rows := make([][]byte, len(readouts))
	for i, r := range readouts {
		rows[i], _ = Align(base, r)
	}
	var out []byte
	for pos := range base {
		if d := most(rows, pos); d != Lost {
			out = append(out, d)
		}
	}
	return string(out)
}

// total is how many edits lead from a readout to all the others.
func total(base string, readouts []string) int {
	sum := 0
	for _, r := range readouts {
		sum += distances(base, r)[len(base)][len(r)]
	}
	return sum
}

// most is the digit that stands most often at a position, the earliest of equals.
func most(rows [][]byte, pos int) byte {
	var count [256]int
	for _, r := range rows {
		count[r[pos]]++
	}
	best := rows[0][pos]
	for _, r := range rows {
		if count[r[pos]] > count[best] {
			best = r[pos]
		}
	}
	return best
}

// Rate is a count of successes.
type Rate struct{ Right, Of int }

// Add counts one trial.
func (r *Rate) Add(right bool) {
	r.Of++
	if right {
		r.Right++
	}
}

// Percent is the share of successes; NaN of none.
func (r Rate) Percent() float64 { return 100 * float64(r.Right) / float64(r.Of) }

// Wilson is the 95 % interval of the share, in percent, by Wilson (1927).
func (r Rate) Wilson() (low, high float64) {
	const z = 1.959964
	n, p := float64(r.Of), float64(r.Right)/float64(r.Of)
	mid := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return 100 * max(0, mid-half), 100 * min(1, mid+half)
}

// String is the share and its interval, such as "97.5 [94.3-98.9]", and "-" of
// no trial.
func (r Rate) String() string {
	if r.Of == 0 {
		return "-"
	}
	low, high := r.Wilson()
	return fmt.Sprintf("%.1f [%.1f-%.1f]", r.Percent(), low, high)
}

// Confusions counts what was heard in place of what, such as "6>8" or "2>-" for
// a digit that was lost, and "+8" for one that was not said.
type Confusions map[string]int

// Add counts the faults of one readout.
func (c Confusions) Add(said, heard string) {
	inPlace, extra := Align(said, heard)
	for i, h := range inPlace {
		if h != said[i] {
			c[fmt.Sprintf("%c>%c", said[i], h)]++
		}
	}
	for _, e := range extra {
		c["+"+string(e)]++
	}
}

// Top lists the n most frequent, such as "6>8:12 9>5:3".
func (c Confusions) Top(n int) string {
	type entry struct {
		what  string
		times int
	}
	var all []entry
	for w, t := range c {
		all = append(all, entry{w, t})
	}
	slices.SortFunc(all, func(a, b entry) int {
		return cmp.Or(cmp.Compare(b.times, a.times), cmp.Compare(a.what, b.what))
	})
	out := ""
	for _, e := range all[:min(n, len(all))] {
		out += fmt.Sprintf(" %s:%d", e.what, e.times)
	}
	if out == "" {
		return ""
	}
	return out[1:]
}
