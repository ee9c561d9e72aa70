// Package guard decides whether a call may be made: a pure function of the
// request, what has been counted so far, and the time. It reads nothing and
// writes nothing; whoever asks stores the rows it gives back, in the same
// transaction as what was allowed.
package guard

import (
	"slices"
	"time"
)

// Rule names one limit.
type Rule string

// The rules.
const (
	RuleStarts        Rule = "starts_per_number"   // starts per number and service
	RuleSends         Rule = "sends_per_number"    // calls and messages per number and service
	RuleWrong         Rule = "wrong_per_number"    // wrong guesses per number and service
	RuleAccountStarts Rule = "starts_per_account"  // starts per account
	RuleCalls         Rule = "calls_per_day"       // calls per account
	RuleConcurrent    Rule = "concurrent_calls"    // calls queued or in progress per account
	RuleCountry       Rule = "country_not_allowed" // the number's country is on no list
	RulePremium       Rule = "premium_number"      // premium rate, satellite, shared cost
	RuleBlocked       Rule = "number_blocked"      // the person reported the service
)

// storedRules gives each counted rule the code under which it is stored: append
// only, never reorder.
var storedRules = []Rule{RuleStarts, RuleSends, RuleWrong, RuleAccountStarts, RuleCalls}

// Limit is so many uses in any stretch of a length of time.
type Limit struct {
	N      int64
	Window time.Duration
}

// Limits are the operator's numbers. A zero field means the default beside it.
type Limits struct {
	Starts          Limit // 10 in an hour
	Sends           Limit // 15 in a day
	Wrong           Limit // 10 in a day
	AccountStarts   Limit // 600 in a minute
	Calls           Limit // 10,000 in a day
	ConcurrentCalls int64 // 200
	// Countries that may be called, ISO 3166 alpha-2. Empty: none, except
	// through the simulator.
	Countries []string
}

// WithDefaults fills what is zero.
func (l Limits) WithDefaults() Limits {
	fill := func(have *Limit, n int64, window time.Duration) {
		if have.N == 0 {
			have.N = n
		}
		if have.Window == 0 {
			have.Window = window
		}
	}
	fill(&l.Starts, 10, time.Hour)
	fill(&l.Sends, 15, 24*time.Hour)
	fill(&l.Wrong, 10, 24*time.Hour)
	fill(&l.AccountStarts, 600, time.Minute)
	fill(&l.Calls, 10_000, 24*time.Hour)
	if l.ConcurrentCalls == 0 {
		l.ConcurrentCalls = 200
	}
	return l
}

// longest is how long a row can still matter after its last use.
func (l Limits) longest() time.Duration {
	d := max(l.Starts.Window, l.Sends.Window, l.Wrong.Window, l.AccountStarts.Window, l.Calls.Window)
	return d + d/slotsPerWindow
}

// KeepUntil is when a row that was last used now may be forgotten. A blocked
// number and an account with open calls are never forgotten (zero time).
func (l Limits) KeepUntil(r Row, now time.Time) time.Time {
	if r.Blocked || r.Open > 0 {
		return time.Time{}
	}
	return now.Add(l.longest())
}

// Answer is a decision's kind.
type Answer int

// The answers.
const (
	Allow  Answer = iota
	Wait          // not now: the same request may be allowed in RetryAfter
	Refuse        // no
)

// Decision is an answer with its rule and numbers.
type Decision struct {
	Answer     Answer
	Rule       Rule
	Limit      int64
	Used       int64
	RetryAfter time.Duration // zero where waiting does not help
}

// Request is what somebody wants to do.
type Request struct {
	Start bool // a new verification
	Send  bool // a call or a message
	Call  bool // the send is a call
	// Country, Premium and Embedded describe the number and the route; they are
	// looked at where Start or Send is set.
	Country  string
	Premium  bool
	Embedded bool // only the simulator would serve it
	// Narrow is the service's own list of countries; empty narrows nothing.
	Narrow []string
}

// Decide says whether a start or a send may happen, and what the two rows are
// afterwards. The rows change only where the answer is Allow.
func (l Limits) Decide(req Request, number, acc Row, now time.Time) (Decision, Row, Row) {
	if d := l.place(req, number); d.Answer != Allow {
		return d, number, acc
	}
	if req.Call && acc.Open >= l.ConcurrentCalls {
		return Decision{Wait, RuleConcurrent, l.ConcurrentCalls, acc.Open, 5 * time.Second}, number, acc
	}
	charges := []struct {
		on    bool
		rule  Rule
		limit Limit
		row   *Row
	}{
		{req.Start, RuleStarts, l.Starts, &number},
		{req.Send, RuleSends, l.Sends, &number},
		{req.Start, RuleAccountStarts, l.AccountStarts, &acc},
		{req.Call, RuleCalls, l.Calls, &acc},
	}
	for _, c := range charges {
		if c.on {
			if d := check(c.rule, c.limit, *c.row, now); d.Answer != Allow {
				return d, number, acc
			}
		}
	}
	if req.Start || req.Send {
		number = number.own()
	}
	if req.Start || req.Call {
		acc = acc.own()
	}
	for _, c := range charges {
		if c.on {
			c.row.Windows[c.rule] = c.row.Windows[c.rule].Add(now, c.limit.Window, 1)
		}
	}
	if req.Call {
		acc.Open++
	}
	return Decision{}, number, acc
}

// place judges what does not depend on counting.
func (l Limits) place(req Request, number Row) Decision {
	switch {
	case number.Blocked:
		return Decision{Answer: Refuse, Rule: RuleBlocked}
	case req.Premium:
		return Decision{Answer: Refuse, Rule: RulePremium}
	case len(req.Narrow) > 0 && !slices.Contains(req.Narrow, req.Country):
		return Decision{Answer: Refuse, Rule: RuleCountry}
	case !req.Embedded && !slices.Contains(l.Countries, req.Country):
		return Decision{Answer: Refuse, Rule: RuleCountry}
	}
	return Decision{}
}

func check(rule Rule, limit Limit, row Row, now time.Time) Decision {
	w := row.Windows[rule]
	used := w.Used(now, limit.Window)
	if used < limit.N {
		return Decision{}
	}
	return Decision{Refuse, rule, limit.N, used, w.FreeIn(now, limit.Window, limit.N)}
}

// MayGuess says whether one more guess may be compared for this number.
func (l Limits) MayGuess(number Row, now time.Time) Decision {
	return check(RuleWrong, l.Wrong, number, now)
}

// CountWrong counts a wrong guess.
func (l Limits) CountWrong(number Row, now time.Time) Row {
	return number.with(RuleWrong, number.Windows[RuleWrong].Add(now, l.Wrong.Window, 1))
}

// CallEnded gives back the place of a call that is over.
func CallEnded(acc Row) Row {
	acc.Open = max(acc.Open-1, 0)
	return acc
}

// Block marks a number whose person reported the service.
func Block(number Row) Row {
	number.Blocked = true
	return number
}
