package secret_test

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/pincall/pincall/internal/secret"
)

func mustToken(tb testing.TB, seed byte) secret.Token {
	tb.Helper()
	tok, err := secret.NewToken(seeded(seed), "pk", "01h")
	if err != nil {
		tb.Fatal(err)
	}
	return tok
}

func TestTokenRoundTrip(t *testing.T) {
	t.Parallel()
	tok := mustToken(t, 4)
	if !regexp.MustCompile(`^pk_01h_[a-z2-7]{52}$`).MatchString(tok.Reveal()) {
		t.Error("the token has another shape")
	}
	got, err := secret.ParseToken(tok.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	if got.Prefix() != "pk" || got.ID() != "01h" || got.Reveal() != tok.Reveal() || got.IsZero() {
		t.Error("the token came back different")
	}
	if len(tok.Hash()) != 32 || !got.Matches(tok.Hash()) {
		t.Error("a token does not match its own hash")
	}
}

func TestTokenMatchesItsOwnHashOnly(t *testing.T) {
	t.Parallel()
	tok, other := mustToken(t, 4), mustToken(t, 5)
	flipped := slices.Clone(tok.Hash())
	flipped[31] ^= 1
	for name, hash := range map[string][]byte{"other": other.Hash(), "flipped": flipped, "cut": tok.Hash()[:31], "none": nil} {
		if tok.Matches(hash) {
			t.Errorf("matches the hash %q", name)
		}
	}
	var zero secret.Token
	if zero.Matches(nil) || zero.Matches(zero.Hash()) || !zero.IsZero() || zero.Reveal() != "" {
		t.Error("the zero value is a token")
	}
}

func TestParseTokenIsStrict(t *testing.T) {
	t.Parallel()
	good := mustToken(t, 4).Reveal()
	key := good[len("pk_01h_"):]
	// The last character carries one bit; with others set it would be a second text for the same token.
	loose := key[:51] + "b"
	bad := map[string]string{
		"empty": "", "no parts": key, "two parts": "pk_" + key, "four parts": "pk_0_1_" + key, "empty prefix": "_01h_" + key,
		"empty id": "pk__" + key, "upper case": strings.ToUpper(good), "upper id": "pk_01H_" + key, "space": good + " ",
		"newline": good + "\n", "inner newline": "pk_01h_" + key[:51] + "\n", "short": good[:len(good)-1], "long": good + "a",
		"padding": good[:len(good)-1] + "=", "digit 0": good[:len(good)-2] + "0" + good[len(good)-1:], "loose bits": "pk_01h_" + loose,
		"long prefix": strings.Repeat("p", 65) + "_1_" + key, "endless": strings.Repeat("_", 1<<16),
	}
	for name, s := range bad {
		if tok, err := secret.ParseToken(s); err != secret.ErrMalformedToken || !tok.IsZero() {
			t.Errorf("%s: error %v, want ErrMalformedToken itself", name, err)
		}
	}
}

func TestNewTokenRefuses(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"", "A", "a_b", "a-b", "é", strings.Repeat("a", 65)} {
		if _, err := secret.NewToken(nil, part, "1"); err == nil {
			t.Errorf("prefix %q is taken", part)
		}
		if _, err := secret.NewToken(nil, "pk", part); err == nil {
			t.Errorf("id %q is taken", part)
		}
	}
	broken := errors.New("broken")
	if _, err := secret.NewToken(iotest.ErrReader(broken), "pk", "1"); !errors.Is(err, broken) {
		t.Errorf("error %v, want the source's", err)
	}
}

func FuzzParseToken(f *testing.F) {
	f.Add(mustToken(f, 4).Reveal())
	f.Add("pk_1_" + strings.Repeat("a", 52))
	f.Add("__")
	f.Fuzz(func(t *testing.T, s string) {
		tok, err := secret.ParseToken(s)
		if err == nil && tok.Reveal() != s {
			t.Fatal("what parsed is written differently")
		}
		if err != nil && err != secret.ErrMalformedToken {
			t.Fatal("a refusal must be ErrMalformedToken alone")
		}
	})
}

func TestNewIDSortsByTime(t *testing.T) {
	t.Parallel()
	r, start := seeded(6), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var ids []string
	for i := range 2000 {
		ids = append(ids, secret.NewID(start.Add(time.Duration(i)*time.Millisecond), r))
	}
	if !slices.IsSorted(ids) {
		t.Error("ids do not sort by time")
	}
	shape := regexp.MustCompile(`^[0-7][0-9a-hjkmnp-tv-z]{25}$`)
	for _, id := range ids {
		if !shape.MatchString(id) {
			t.Fatalf("id %s has another shape", id)
		}
	}
	slices.Sort(ids)
	if len(slices.Compact(ids)) != 2000 {
		t.Error("ids repeat")
	}
}

// The time of the ULID specification's own example: 1469918176385 ms is 01ARYZ6S41 in upper case.
func TestNewIDHoldsTheTimeAndTheRandomBits(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1469918176385)
	tests := map[string]struct {
		now    time.Time
		random string
		want   string
	}{
		"low":         {at, "\x00", "01aryz6s41" + "0000000000000000"},
		"high":        {at, "\xff", "01aryz6s41" + "zzzzzzzzzzzzzzzz"},
		"before 1970": {time.UnixMilli(-1), "\xff", "0000000000" + "zzzzzzzzzzzzzzzz"},
	}
	for name, tt := range tests {
		if got := secret.NewID(tt.now, strings.NewReader(strings.Repeat(tt.random, 10))); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func TestNewIDPanicsWithoutRandomBits(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	secret.NewID(time.Now(), strings.NewReader("short"))
}
