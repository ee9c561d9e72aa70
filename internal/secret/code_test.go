package secret_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/pincall/pincall/internal/secret"
)

// seeded is a reader of fixed random bytes, so that a statistical test always gives the same verdict.
func seeded(n byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{n}) }

func mustCode(tb testing.TB, digits string) secret.Code {
	tb.Helper()
	c, err := secret.ParseCode(digits)
	if err != nil {
		tb.Fatalf("ParseCode: %v", err)
	}
	return c
}

// Every digit is equally likely at every place: chi-square with 9 degrees of freedom stays under 27.88 (p = 0.001) at each of
// the ten places, the first included.
func TestNewCodeIsUniformAtEveryPlace(t *testing.T) {
	t.Parallel()
	const draws, critical = 50_000, 27.88
	r := seeded(1)
	var seen [secret.MaxCodeLen][10]int
	for range draws {
		c, err := secret.NewCode(r, secret.MaxCodeLen)
		if err != nil {
			t.Fatalf("NewCode: %v", err)
		}
		for i, d := range []byte(c.Reveal()) {
			seen[i][d-'0']++
		}
	}
	for place, counts := range seen {
		if chi := chiSquare(counts[:], draws); chi > critical {
			t.Errorf("place %d: chi-square %.2f > %.2f, counts %v", place, chi, critical, counts)
		}
	}
}

// The same statistic notices the bias that a byte modulo ten has, so the test above can fail.
func TestChiSquareSeesModuloBias(t *testing.T) {
	t.Parallel()
	const draws, critical = 50_000, 27.88
	var counts [10]int
	buf := make([]byte, draws)
	_, _ = seeded(1).Read(buf)
	for _, b := range buf {
		counts[b%10]++
	}
	if chi := chiSquare(counts[:], draws); chi < critical {
		t.Errorf("chi-square of a biased generator is %.2f, want above %.2f", chi, critical)
	}
}

func chiSquare(counts []int, draws int) float64 {
	want := float64(draws) / float64(len(counts))
	sum := 0.0
	for _, n := range counts {
		sum += (float64(n) - want) * (float64(n) - want) / want
	}
	return sum
}

// Bytes from 250 up are thrown away: taking them modulo ten would favour 0 to 5.
func TestNewCodeRejectsTheUnfairBytes(t *testing.T) {
	t.Parallel()
	stream := "\xff\xfe\xfd\xfc\xfb\xfa\x00\x07\xf9\x0a" + strings.Repeat("\xff", 22)
	c, err := secret.NewCode(strings.NewReader(stream), 4)
	if err != nil {
		t.Fatalf("NewCode: %v", err)
	}
	if c.Reveal() != "0790" {
		t.Error("the digits are not those of the fair bytes")
	}
}

func TestNewCodeLength(t *testing.T) {
	t.Parallel()
	for n := -1; n <= 12; n++ {
		c, err := secret.NewCode(nil, n)
		if n < 4 || n > 10 {
			if err == nil || !c.IsZero() {
				t.Errorf("length %d: error %v, want a refusal", n, err)
			}
			continue
		}
		if err != nil || c.Len() != n || len(c.Reveal()) != n || c.IsZero() {
			t.Errorf("length %d: got %d digits, error %v", n, c.Len(), err)
		}
	}
}

func TestNewCodeTellsAFailingSource(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	if _, err := secret.NewCode(iotest.ErrReader(broken), 6); !errors.Is(err, broken) {
		t.Errorf("error %v, want the source's", err)
	}
}

func TestParseCode(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ typed, want string }{
		"plain":              {"012345", "012345"},
		"shortest":           {"0000", "0000"},
		"longest":            {"0123456789", "0123456789"},
		"spaces and dashes":  {" 01 2-3 45\n", "012345"},
		"no-break space":     {"012\u00a0345", "012345"},
		"narrow no-break":    {"012\u202f345", "012345"},
		"ideographic space":  {"012\u3000345", "012345"},
		"en dash, em dash":   {"01\u201323\u201445", "012345"},
		"non-breaking dash":  {"012\u2011345", "012345"},
		"minus":              {"012\u2212345", "012345"},
		"full width":         {"\uff10\uff11\uff12\uff13\uff14\uff15", "012345"},
		"full-width dash":    {"012\uff0d345", "012345"},
		"Japanese long mark": {"012\u30fc345", "012345"},
		"half-width mark":    {"012\uff70345", "012345"},
		"empty":              {"", ""},
		"separators alone":   {" - ", ""},
		"too short":          {"123", ""},
		"too long":           {"12345678901", ""},
		"letters":            {"12e456", ""},
		"letter o":           {"12345o", ""},
		"plus":               {"+12345", ""},
		"dot":                {"123.456", ""},
		"Arabic digits":      {"\u0661\u0662\u0663\u0664", ""},
		"invalid UTF-8":      {"1234\xff", ""},
		"zero byte":          {"1234\x00", ""},
		"endless":            {"1234" + strings.Repeat(" ", 1000), ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := secret.ParseCode(tt.typed)
			if tt.want == "" {
				if err != secret.ErrMalformedCode || !c.IsZero() {
					t.Errorf("error %v, want ErrMalformedCode itself", err)
				}
				return
			}
			if err != nil || c.Reveal() != tt.want {
				t.Errorf("error %v, right digits: %t", err, c.Reveal() == tt.want)
			}
		})
	}
}

func TestZeroCode(t *testing.T) {
	t.Parallel()
	var c secret.Code
	if !c.IsZero() || c.Len() != 0 || c.Reveal() != "" {
		t.Error("the zero value holds a code")
	}
}

func FuzzParseCode(f *testing.F) {
	for _, s := range []string{"012345", "01 23-45", "\uff10\uff11\uff12\uff13", "12\u2011345", "1\u20442", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := secret.ParseCode(s)
		if err != nil {
			if !c.IsZero() || err != secret.ErrMalformedCode {
				t.Fatal("a refusal must be ErrMalformedCode alone")
			}
			return
		}
		again, err := secret.ParseCode(c.Reveal())
		if err != nil || again.Reveal() != c.Reveal() || strings.Trim(c.Reveal(), "0123456789") != "" {
			t.Fatal("what parsed does not parse again to the same digits")
		}
	})
}
