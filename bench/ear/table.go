package main

import "fmt"

func heading() {
	fmt.Printf("%-22s %-8s %5s  %-19s %-19s %-19s %-19s %-19s %-19s %6s %7s  %s\n", "form", "line", "codes",
		"first %", "of six digits %", "second %", "either %", "all together %", "majority, digits %", "twice", "second", "heard wrong")
}

// print prints a row; "twice" is the share of codes whose first two readouts were
// heard alike and wrong, "second" when the second readout ends.
func (r row) print() {
	seconds := "-"
	if r.mean() > 0 {
		seconds = fmt.Sprintf("%.1f s", r.mean())
	}
	fmt.Printf("%-22s %-8s %5d  %-19s %-19s %-19s %-19s %-19s %-19s %6.1f %7s  %s\n", r.form, r.condition, r.first.Of,
		r.first, r.six, r.second, r.either, r.whole, r.majority, r.wrongTwice.Percent(), seconds, r.confusions.Top(8))
}
