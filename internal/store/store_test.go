package store

import (
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/verify"
)

func TestTimes(t *testing.T) {
	t.Parallel()
	for _, want := range []time.Time{{}, time.Date(2024, 2, 29, 23, 59, 59, 123456000, time.UTC)} {
		if got := Time(Micros(want)); got != want {
			t.Errorf("%v came back as %v", want, got)
		}
	}
}

func TestClockNeverGoesBack(t *testing.T) {
	t.Parallel()
	at := time.UnixMicro(1_000)
	c := NewClock(func() time.Time { return at })
	var got []int64
	for _, us := range []int64{1_000, 2_000, 1_500, 2_500} {
		at = time.UnixMicro(us)
		got = append(got, c.Micros())
	}
	if diff := cmp.Diff([]int64{1_000, 2_000, 2_000, 2_500}, got); diff != "" {
		t.Errorf("readings (-want +got):\n%s", diff)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	want := verify.Settings{
		StartedBy: "key", Language: "ja", Brand: "Acme", CodeLength: 8, MaxGuesses: 3, MaxSends: 2,
		Gate: script.GateAnyKey, GatePolicy: account.GateRequire, PlainDigits: true, Words: true,
		Workflow: []account.Step{{Channel: phone.SMS, Timeout: time.Minute}, {Channel: phone.Voice, Timeout: time.Hour}},
	}
	text, err := EncodeSettings(want)
	if err != nil {
		t.Fatal(err)
	}
	var c SettingsCache
	for range 2 {
		got, err := c.Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("settings (-want +got):\n%s", diff)
		}
	}
	if _, err := c.Decode("{"); err == nil {
		t.Error("broken settings were read")
	}
}

func TestMigrations(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{"0002_more.sql": {Data: []byte("b")}, "0001_start.sql": {Data: []byte("a")}}
	all, err := Migrations(files)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Migration{{1, "start", "a"}, {2, "more", "b"}}, all); diff != "" {
		t.Errorf("migrations (-want +got):\n%s", diff)
	}
	if left, err := Missing(all, 1); err != nil || len(left) != 1 || left[0].Version != 2 {
		t.Errorf("after 1 come %v, %v", left, err)
	}
	if _, err := Missing(all, 3); err == nil {
		t.Error("a newer database was accepted")
	}
	files["0004_gap.sql"] = &fstest.MapFile{}
	if _, err := Migrations(files); err == nil {
		t.Error("a gap was accepted")
	}
}

// A step of the wall clock back neither stops nor repeats time; a step forward
// is followed.
func TestSteadyClock(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var wall, gone time.Duration
	clock := steady(func() time.Time { return begin.Add(wall) }, func() time.Duration { return gone })
	for _, step := range []struct{ wall, gone, want time.Duration }{
		{time.Minute, time.Minute, time.Minute},
		{time.Minute - time.Hour, time.Minute, 2 * time.Minute}, // set back by an hour
		{time.Minute, time.Minute, 3 * time.Minute},
		{time.Minute + 2*time.Hour, time.Minute, time.Hour + 4*time.Minute}, // an hour ahead of what was counted
		{time.Minute, time.Minute, time.Hour + 5*time.Minute},
	} {
		wall, gone = wall+step.wall, gone+step.gone
		if got := clock().Sub(begin); got != step.want {
			t.Errorf("%v after the begin, want %v", got, step.want)
		}
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "Käse 電話": "Käse 電話", "a\x00b": "a\uFFFDb", "a\xffb": "a\uFFFDb", "\xed\xa0\x80\x00": "\uFFFD\uFFFD", "\uFFFD": "\uFFFD",
	} {
		if got := Text(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}
