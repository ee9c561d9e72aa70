package script

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/feature/plural"
)

// rules put whole numbers in words, from the smallest value each applies to.
// The form follows the rule-based number formats of CLDR. In a rule,
//
//	<count>       is the number divided by the largest power of ten in that value,
//	<rest>        the remainder, and
//	[..]          is left out when the remainder is zero;
//	<one|other>   and <one|few|many> are the noun's plural form that goes with <count>;
//	<same>        in a join, is the number itself by the rules for numbers.
//
// A rest keeps the gender of the number, a count does not. <count:g> and <rest:g>
// name the gender g, or "plain" for none; <rest:j> names a join j, which keeps
// the gender.
type rules map[int64]string

// plain names the rules without a gender.
const plain = "plain"

// checkNumbers wants a plain word for each number below ten, where there are
// rules at all, so that every rule ends, and known names in every rule.
func (l *lexicon) checkNumbers() error {
	if len(l.Numbers) == 0 {
		return nil
	}
	for n := range int64(10) {
		if rule := l.Numbers[n]; rule == "" || strings.ContainsAny(rule, "<[") {
			return fmt.Errorf("numbers: %d wants a plain word", n)
		}
	}
	sets := []rules{l.Numbers}
	sets = slices.AppendSeq(sets, maps.Values(l.Genders))
	sets = slices.AppendSeq(sets, maps.Values(l.Joins))
	for i, set := range sets {
		for n, rule := range set {
			// Only a join may say <same>, and never to a join: each step leads to
			// a smaller number or to Numbers.
			if err := l.checkRule(rule, i > len(l.Genders)); err != nil {
				return fmt.Errorf("numbers: %d: %w", n, err)
			}
		}
	}
	return nil
}

// checkRule wants known variables with known names.
func (l *lexicon) checkRule(rule string, join bool) error {
	for rest := rule; ; {
		_, tail, found := strings.Cut(rest, "<")
		if !found {
			return nil
		}
		v, after, closed := strings.Cut(tail, ">")
		if !closed {
			return errors.New("a variable has no end")
		}
		rest = after
		if strings.Contains(v, "|") {
			continue
		}
		name, how, _ := strings.Cut(v, ":")
		known := how == "" || how == plain || l.Genders[how] != nil
		switch name {
		case "count":
		case "same":
			known = known && join
		case "rest":
			known = known || l.Joins[how][1] != ""
		default:
			known = false
		}
		if !known {
			return fmt.Errorf("%q is not known", v)
		}
	}
}

// pick is the form of a noun that goes with n.
func (l *lexicon) pick(f forms, n int64) string {
	const million = 1_000_000
	if s := f["millions"]; s != "" && n > 0 && n%million == 0 {
		return s
	}
	if s := f[l.category(n)]; s != "" {
		return s
	}
	return f["other"]
}

// category is the CLDR plural category of a whole number.
func (l *lexicon) category(n int64) string {
	// The plural rules look at the last digits only; the million keeps a large
	// number from being taken for a small one.
	const big = 1_000_000
	if n >= big {
		n = n%big + big
	}
	switch plural.Cardinal.MatchPlural(l.tag, int(n), 0, 0, 0, 0) {
	case plural.Zero:
		return "zero"
	case plural.One:
		return "one"
	case plural.Two:
		return "two"
	case plural.Few:
		return "few"
	case plural.Many:
		return "many"
	}
	return "other"
}

// noun picks from "one|other" or "one|few|many".
func (l *lexicon) noun(words string, n int64) string {
	w := strings.Split(words, "|")
	switch c := l.category(n); {
	case c == "one":
		return w[0]
	case c == "few" && len(w) > 2:
		return w[1]
	}
	return w[len(w)-1]
}

// count puts a number in words before its noun.
func (l *lexicon) count(f forms, gender string, n int64) string {
	return fill(l.pick(f, n), map[string]string{"n": l.number(n, gender)})
}

// number is a whole number in words by the language's rules, in numerals where
// it has none. It ends because <count> and <rest> are smaller than n, and below
// ten rules are plain words.
func (l *lexicon) number(n int64, gender string) string {
	own := l.Genders[gender]
	base := max(baseOf(l.Numbers, n), baseOf(own, n))
	if base < 0 {
		return strconv.FormatInt(n, 10)
	}
	rule, ok := own[base]
	if !ok {
		rule = l.Numbers[base]
	}
	return l.apply(rule, numeral{n: n, unit: power(len(strconv.FormatInt(base, 10)) - 1), gender: gender})
}

// baseOf is the largest base that is not above n, or -1.
func baseOf(set rules, n int64) int64 {
	base := int64(-1)
	for from := range set {
		if from <= n {
			base = max(base, from)
		}
	}
	return base
}

// numeral is a number that a rule is applied to.
type numeral struct {
	n, unit int64
	gender  string
}

// apply fills a rule.
func (l *lexicon) apply(rule string, x numeral) string {
	if open, rest, found := strings.Cut(rule, "["); found {
		inner, tail, _ := strings.Cut(rest, "]")
		if x.n%x.unit == 0 {
			inner = ""
		}
		rule = open + inner + tail
	}
	return expand(rule, "<", ">", func(v string) (string, bool) { return l.variable(v, x), true })
}

// variable is the value of one variable of a rule.
func (l *lexicon) variable(v string, x numeral) string {
	if strings.Contains(v, "|") {
		return l.noun(v, x.n/x.unit)
	}
	name, how, _ := strings.Cut(v, ":")
	if set, ok := l.Joins[how]; ok {
		rest := x.n % x.unit
		return l.apply(set[baseOf(set, rest)], numeral{n: rest, unit: 1, gender: x.gender})
	}
	gender := how
	if how == "" && name != "count" {
		gender = x.gender
	}
	switch name {
	case "count":
		return l.number(x.n/x.unit, gender)
	case "rest":
		return l.number(x.n%x.unit, gender)
	}
	return l.number(x.n, gender)
}
