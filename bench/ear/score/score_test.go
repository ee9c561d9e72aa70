package score

import (
	"math"
	"strings"
	"testing"
	"testing/quick"
)

func TestAlign(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ said, heard, inPlace, extra string }{
		{"482913", "482913", "482913", ""},
		{"482913", "483913", "483913", ""},
		{"482913", "42913", "4-2913", ""},
		{"482913", "4882913", "482913", "8"},
		{"0542", "", "----", ""},
		{"", "77", "", "77"},
		{"66", "8", "-8", ""},
	} {
		got, extra := Align(c.said, c.heard)
		if string(got) != c.inPlace || extra != c.extra {
			t.Errorf("Align(%q, %q) = %q, %q; want %q, %q", c.said, c.heard, got, extra, c.inPlace, c.extra)
		}
	}
}

// An alignment accounts for every digit that was heard.
func TestAlignKeepsAll(t *testing.T) {
	t.Parallel()
	keeps := func(a, b []byte) bool {
		said, heard := digits(a), digits(b)
		inPlace, extra := Align(said, heard)
		faults := len(extra)
		for i := range inPlace {
			faults += differ(inPlace[i], said[i])
		}
		kept := len(inPlace) - strings.Count(string(inPlace), string(Lost)) + len(extra)
		return len(inPlace) == len(said) && kept == len(heard) && faults == distances(said, heard)[len(said)][len(heard)]
	}
	if err := quick.Check(keeps, nil); err != nil {
		t.Error(err)
	}
}

func digits(b []byte) string {
	var out []byte
	for _, c := range b[:min(len(b), 12)] {
		out = append(out, '0'+c%10)
	}
	return string(out)
}

func TestMajority(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		want     string
		readouts []string
	}{
		{"", nil},
		{"0542", []string{"0542"}},
		{"0542", []string{"0542", "0542", "0542"}},
		{"0542", []string{"0542", "0592", "0542"}},
		{"0542", []string{"0592", "0542", "3542"}}, // each is wrong in another place, or right
		{"482913", []string{"48913", "482913", "482813"}},
		{"482913", []string{"4882913", "482913", "482913"}},
		{"482913", []string{"482913", "", "482913"}},
		{"1", []string{"1", "2", "3"}}, // no majority: the first
	} {
		if got := Majority(c.readouts); got != c.want {
			t.Errorf("Majority(%q) = %q, want %q", c.readouts, got, c.want)
		}
	}
}

func TestWilson(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rate      Rate
		low, high float64
	}{
		{Rate{0, 10}, 0, 27.753},
		{Rate{10, 10}, 72.247, 100},
		{Rate{195, 200}, 94.282, 98.929},
		{Rate{1, 2}, 9.453, 90.547},
	} {
		low, high := c.rate.Wilson()
		if math.Abs(low-c.low) > 0.01 || math.Abs(high-c.high) > 0.01 {
			t.Errorf("Wilson of %d/%d = %.3f, %.3f; want %.3f, %.3f", c.rate.Right, c.rate.Of, low, high, c.low, c.high)
		}
	}
	if got := (Rate{}).String(); got != "-" {
		t.Errorf("no trial prints %q", got)
	}
}

func TestConfusions(t *testing.T) {
	t.Parallel()
	c := Confusions{}
	c.Add("482913", "482913")
	c.Add("666", "886")
	c.Add("0542", "054")
	c.Add("11", "181")
	if got, want := c.Top(9), "6>8:2 +8:1 2>-:1"; got != want {
		t.Errorf("Top = %q, want %q", got, want)
	}
	if got := c.Top(1); got != "6>8:2" {
		t.Errorf("Top(1) = %q", got)
	}
}
