package sipcall

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	type end struct {
		Class Class
		Fault Fault
		Rung  bool
	}
	for _, c := range []struct {
		status, q850 int
		rang         bool
		want         end
	}{
		{486, 0, false, end{Busy, FaultPerson, true}},
		{600, 0, true, end{Busy, FaultPerson, true}},
		{480, 0, false, end{Unreachable, FaultNumber, true}},
		{480, 0, true, end{NoAnswer, FaultPerson, true}},
		{480, 16, true, end{NoAnswer, FaultPerson, true}}, // 16 and 31 say nothing
		{408, 31, true, end{NoAnswer, FaultPerson, true}},
		{480, 19, false, end{NoAnswer, FaultPerson, true}},
		{480, 20, false, end{Unreachable, FaultNumber, false}},
		{408, 0, false, end{Failed, FaultCarrier, true}},
		{408, 0, true, end{NoAnswer, FaultPerson, true}},
		{404, 0, false, end{Unreachable, FaultNumber, false}},
		{404, 0, true, end{Unreachable, FaultNumber, true}},
		{404, 19, false, end{Unreachable, FaultNumber, true}}, // firm, but something rang
		{484, 28, false, end{Unreachable, FaultNumber, false}},
		{604, 0, false, end{Unreachable, FaultNumber, false}},
		{603, 0, false, end{Rejected, FaultPerson, true}},
		{607, 0, false, end{Rejected, FaultPerson, true}},
		{608, 0, false, end{Refused, FaultCarrier, false}},
		{403, 0, false, end{Refused, FaultOurs, false}},
		{403, 21, false, end{Rejected, FaultPerson, true}},
		{401, 0, false, end{Refused, FaultOurs, false}},
		{488, 0, false, end{Refused, FaultOurs, false}},
		{503, 0, false, end{Failed, FaultCarrier, false}},
		{503, 34, false, end{Failed, FaultCarrier, false}},
		{503, 17, false, end{Busy, FaultPerson, true}},
		{503, 0, true, end{Failed, FaultCarrier, true}},
		{500, 16, false, end{Failed, FaultCarrier, false}}, // 16 and 31 say nothing
		{504, 0, false, end{Failed, FaultCarrier, true}},   // silence behind the carrier
		{487, 0, false, end{Failed, FaultCarrier, true}},
		{302, 0, false, end{Failed, FaultCarrier, false}},
		{499, 0, false, end{Refused, FaultCarrier, true}},
		{599, 0, false, end{Failed, FaultCarrier, true}},
		{699, 0, false, end{Rejected, FaultPerson, true}},
		{700, 0, false, end{Failed, FaultCarrier, true}},
	} {
		f := classify(c.status, c.q850, c.rang)
		if d := cmp.Diff(c.want, end{f.Class, f.Fault, f.MayHaveRung}); d != "" || f.Reason == "" || f.Status != c.status {
			t.Errorf("%d, cause %d, rang %v: %s", c.status, c.q850, c.rang, d)
		}
	}
	for status, v := range statuses {
		if v.reason == "" || v.class == "" || v.fault == "" || status < 400 {
			t.Errorf("%d: %+v", status, v)
		}
	}
	for cause, v := range causes {
		if v.reason == "" || v.class == "" || v.fault == "" || cause > 127 {
			t.Errorf("cause %d: %+v", cause, v)
		}
	}
}

func TestParseReasons(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		`Q.850;cause=16;text="Terminated"`: 16, `SIP;cause=600, q.850 ; Cause = 21`: 21, `SIP;cause=486`: 0, ``: 0,
		`Q.850;text="a;cause=17, Q.850;cause=18";cause=19`: 19, `Q.850;cause=999`: 0, `Q.850;cause="20"`: 20, `Q.850;cause=-1`: 0,
		`;;;,,,=`: 0, `Q.850;cause=0`: 0, `"`: 0, `Q.850;text="\";cause=3`: 0,
	} {
		if got := parseReasons([]string{text}); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
	if got := parseReasons([]string{"SIP;cause=480", "Q.850;cause=20"}); got != 20 {
		t.Errorf("two headers: %d", got)
	}
}

func TestParseRetryAfter(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"18": 18 * time.Second, " 5 (I'm in a meeting)": 5 * time.Second, "120;duration=60": 2 * time.Minute, "": 0, "soon": 0, "-1": 0,
		"99999999999999999999": time.Hour, "7200": time.Hour, "3x": 0, "0": 0, "Fri, 01 Jan": 0,
	} {
		if got := parseRetryAfter(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func FuzzReason(f *testing.F) {
	f.Add(`Q.850;cause=16;text="Terminated", SIP;cause=600`)
	f.Add(`"\`)
	f.Fuzz(func(t *testing.T, text string) {
		if got := parseReasons([]string{text}); got < 0 || got > 127 {
			t.Errorf("%q: cause %d", text, got)
		}
		if len(splitChallenges(text)) == 0 {
			t.Errorf("%q: no part", text)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("120 (busy);duration=60")
	f.Fuzz(func(t *testing.T, text string) {
		if got := parseRetryAfter(text); got < 0 || got > maxRetryAfter {
			t.Errorf("%q: %v", text, got)
		}
	})
}

func TestSplitChallenges(t *testing.T) {
	t.Parallel()
	got := splitChallenges(`Digest realm="a, Digest b", nonce="1", qop="auth,auth-int", Digest realm="c",nonce="2"`)
	want := []string{`Digest realm="a, Digest b", nonce="1", qop="auth,auth-int"`, ` Digest realm="c",nonce="2"`}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
