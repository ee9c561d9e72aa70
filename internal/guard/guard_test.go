package guard

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)

func allowed() Limits { return Limits{Countries: []string{"JP"}}.WithDefaults() }

func request() Request { return Request{Start: true, Send: true, Call: true, Country: "JP"} }

// A limit holds in every stretch of its length, not only in a calendar's.
func TestWindowNeverExceedsItsLimitInAnyStretch(t *testing.T) {
	t.Parallel()
	const limit, length = 10, 24 * time.Hour
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		var w Window
		var taken []time.Time
		now := start
		for range 400 {
			now = now.Add(time.Duration(rng.Int64N(int64(2 * time.Hour))))
			if w.Used(now, length) < limit {
				w = w.Add(now, length, 1)
				taken = append(taken, now)
			}
		}
		for i := limit; i < len(taken); i++ {
			if gap := taken[i].Sub(taken[i-limit]); gap < length {
				t.Fatalf("11 uses within %v", gap)
			}
		}
		if len(taken) < 100 {
			t.Fatalf("only %d uses in about 16 days: the window gives too little back", len(taken))
		}
	}
}

func TestWindowFreeIn(t *testing.T) {
	t.Parallel()
	const length = time.Hour
	var w Window
	w = w.Add(start, length, 3)
	for now := start; ; now = now.Add(time.Minute) {
		wait := w.FreeIn(now, length, 3)
		if (wait == 0) != (w.Used(now, length) < 3) {
			t.Fatalf("at +%v FreeIn is %v and %d are used", now.Sub(start), wait, w.Used(now, length))
		}
		if wait == 0 {
			if late := now.Sub(start) - length; late > length/10+time.Minute {
				t.Fatalf("given back %v late", late)
			}
			return
		}
		if at := now.Add(wait); w.Used(at, length) != 0 || w.Used(at.Add(-time.Nanosecond), length) != 3 {
			t.Fatalf("FreeIn names %v, which is not the moment", wait)
		}
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	full := func(rule Rule, n int64, length time.Duration) Row {
		return Row{}.with(rule, Window{}.Add(start, length, n))
	}
	tests := []struct {
		name        string
		req         Request
		limits      func(*Limits)
		number, acc Row
		want        Answer
		rule        Rule
	}{
		{name: "nothing counted yet", req: request()},
		{name: "country on no list", req: Request{Start: true, Send: true, Country: "US"}, want: Refuse, rule: RuleCountry},
		{name: "empty list refuses all", req: request(), limits: func(l *Limits) { l.Countries = nil }, want: Refuse, rule: RuleCountry},
		{name: "simulator needs no list", req: Request{Start: true, Country: "US", Embedded: true}},
		{name: "service narrows", req: Request{Start: true, Country: "JP", Narrow: []string{"US"}}, want: Refuse, rule: RuleCountry},
		{name: "service narrows the simulator too", req: Request{Start: true, Country: "JP", Embedded: true, Narrow: []string{"US"}},
			want: Refuse, rule: RuleCountry},
		{name: "service cannot widen", req: Request{Start: true, Country: "US", Narrow: []string{"US"}}, want: Refuse, rule: RuleCountry},
		{name: "premium", req: Request{Start: true, Country: "JP", Premium: true}, want: Refuse, rule: RulePremium},
		{name: "reported", req: request(), number: Row{Blocked: true}, want: Refuse, rule: RuleBlocked},
		{name: "starts", req: request(), number: full(RuleStarts, 10, time.Hour), want: Refuse, rule: RuleStarts},
		{name: "starts do not stop a resend", req: Request{Send: true, Country: "JP"}, number: full(RuleStarts, 10, time.Hour)},
		{name: "sends", req: request(), number: full(RuleSends, 15, 24*time.Hour), want: Refuse, rule: RuleSends},
		{name: "account's starts", req: request(), acc: full(RuleAccountStarts, 600, time.Minute), want: Refuse, rule: RuleAccountStarts},
		{name: "calls a day", req: request(), acc: full(RuleCalls, 10_000, 24*time.Hour), want: Refuse, rule: RuleCalls},
		{name: "messages are no calls", req: Request{Start: true, Send: true, Country: "JP"}, acc: full(RuleCalls, 10_000, 24*time.Hour)},
		{name: "concurrent calls", req: request(), acc: Row{Open: 200}, want: Wait, rule: RuleConcurrent},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := allowed()
			if tt.limits != nil {
				tt.limits(&l)
			}
			d, number, acc := l.Decide(tt.req, tt.number, tt.acc, start)
			if d.Answer != tt.want || d.Rule != tt.rule {
				t.Fatalf("got %+v, want answer %d by rule %q", d, tt.want, tt.rule)
			}
			changed := !cmp.Equal(number.Encode(), tt.number.Encode()) || !cmp.Equal(acc.Encode(), tt.acc.Encode())
			if changed != (tt.want == Allow) {
				t.Errorf("rows changed: %v", changed)
			}
			if tt.rule == RuleStarts && d.RetryAfter <= 0 {
				t.Error("a counted limit says when to come back")
			}
		})
	}
}

func TestDecideCountsEachUseOnce(t *testing.T) {
	t.Parallel()
	l := allowed()
	var number, acc Row
	for i := range int64(10) {
		d, n, a := l.Decide(request(), number, acc, start)
		if d.Answer != Allow {
			t.Fatalf("start %d: %+v", i+1, d)
		}
		number, acc = n, a
	}
	if d, _, _ := l.Decide(request(), number, acc, start); d.Rule != RuleStarts || d.Used != 10 {
		t.Errorf("the 11th start: %+v", d)
	}
	if acc.Open != 10 {
		t.Errorf("%d calls open, want 10", acc.Open)
	}
	for range 12 {
		acc = CallEnded(acc)
	}
	if acc.Open != 0 {
		t.Errorf("%d calls open after all ended", acc.Open)
	}
}

func TestWrongGuesses(t *testing.T) {
	t.Parallel()
	l := allowed()
	var number Row
	for range 10 {
		if d := l.MayGuess(number, start); d.Answer != Allow {
			t.Fatal("refused too early")
		}
		number = l.CountWrong(number, start)
	}
	if d := l.MayGuess(number, start.Add(23*time.Hour)); d.Answer != Refuse || d.Rule != RuleWrong {
		t.Errorf("the 11th guess of a day: %+v", d)
	}
	if d := l.MayGuess(number, start.Add(27*time.Hour)); d.Answer != Allow {
		t.Errorf("a day later: %+v", d)
	}
}

func TestRowRoundTrip(t *testing.T) {
	t.Parallel()
	r := Row{Open: 7, Blocked: true}
	for i, rule := range storedRules {
		w := Window{}
		for j := range i * 3 {
			w = w.Add(start.Add(time.Duration(j)*time.Hour), 24*time.Hour, int64(j+1))
		}
		r = r.with(rule, w)
	}
	got, err := DecodeRow(r.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r.Encode(), got.Encode()); diff != "" {
		t.Error(diff)
	}
	if got.Open != 7 || !got.Blocked {
		t.Errorf("got %+v", got)
	}
}

func FuzzDecodeRow(f *testing.F) {
	f.Add(Row{}.Encode())
	f.Add(Row{Open: 3}.with(RuleWrong, Window{}.Add(start, time.Hour, 2)).Encode())
	f.Add([]byte{1, 0, 0, 200, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeRow(b)
		if err != nil {
			return
		}
		if _, err := DecodeRow(r.Encode()); err != nil {
			t.Errorf("what was read cannot be read again: %v", err)
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	l := allowed()
	number := Row{}.with(RuleStarts, Window{}.Add(start, time.Hour, 1))
	for b.Loop() {
		d, n, a := l.Decide(request(), number, Row{}, start)
		if d.Answer != Allow || len(n.Encode())+len(a.Encode()) == 0 {
			b.Fatal(d)
		}
	}
}
