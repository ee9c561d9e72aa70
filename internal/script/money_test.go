package script

import (
	"errors"
	"strings"
	"testing"
)

func TestParseMoney(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		amount, currency string
		want             Money
		err              error
	}{
		{"12.50", "EUR", Money{1250, "EUR"}, nil},
		{"12.5", "eur", Money{1250, "EUR"}, nil},
		{"12", "USD", Money{1200, "USD"}, nil},
		{"0.01", "USD", Money{1, "USD"}, nil},
		{"3000", "JPY", Money{3000, "JPY"}, nil},
		{"1.234", "KWD", Money{1234, "KWD"}, nil},
		{"9999999999.99", "EUR", Money{999999999999, "EUR"}, nil},
		{"10000000000.00", "EUR", Money{}, ErrAmount},
		{"3000.0", "JPY", Money{}, ErrAmount},
		{"1.234", "EUR", Money{}, ErrAmount},
		{"0", "EUR", Money{}, ErrAmount},
		{"0.00", "EUR", Money{}, ErrAmount},
		{"-1", "EUR", Money{}, ErrAmount},
		{"+1", "EUR", Money{}, ErrAmount},
		{"1e3", "EUR", Money{}, ErrAmount},
		{"1,50", "EUR", Money{}, ErrAmount},
		{"1.", "EUR", Money{}, ErrAmount},
		{".5", "EUR", Money{}, ErrAmount},
		{" 1", "EUR", Money{}, ErrAmount},
		{"１", "EUR", Money{}, ErrAmount},
		{"", "EUR", Money{}, ErrAmount},
		{strings.Repeat("9", 400), "EUR", Money{}, ErrAmount},
		{"1", "", Money{}, ErrCurrency},
		{"1", "EURO", Money{}, ErrCurrency},
		{"1", "ZZZ", Money{}, ErrCurrency},
		{"1", "XXX", Money{}, ErrCurrency},
		{"1", "XAU", Money{}, ErrCurrency},
	} {
		got, err := ParseMoney(c.amount, c.currency)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("ParseMoney(%q, %q) = %v, %v, want %v, %v", c.amount, c.currency, got, err, c.want, c.err)
		}
	}
}

func TestSpokenAmounts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		lang string
		m    Money
		want string
	}{
		{"en", Money{1250, "EUR"}, "twelve euros and fifty cents"},
		{"en", Money{100, "EUR"}, "one euro"},
		{"en", Money{1, "GBP"}, "one penny"},
		{"en", Money{2101, "USD"}, "twenty-one dollars and one cent"},
		{"en", Money{100_000_100, "USD"}, "one million one dollars"},
		{"en", Money{100_000_000_000, "JPY"}, "one hundred billion yen"},
		{"en", Money{1005, "KWD"}, "one Kuwaiti dinar and five fils"},
		{"en", Money{12005, "BRL"}, "120.05 BRL"},
		{"ja", Money{1250, "EUR"}, "十二ユーロ五十セント"},
		{"ja", Money{3000, "JPY"}, "三千円"},
		{"ja", Money{11111, "JPY"}, "一万千百十一円"},
		{"ja", Money{100_200_000, "JPY"}, "一億二十万円"},
	} {
		if got := catalog()[c.lang].spoken(c.m); got != c.want {
			t.Errorf("%s: %d %s is %q, want %q", c.lang, c.m.Minor, c.m.Currency, got, c.want)
		}
	}
}

func FuzzParseMoney(f *testing.F) {
	for _, s := range []string{"12.50", "0", "-1", "1e9", "999999999999", "00.1", "1.", "１"} {
		f.Add(s, "EUR")
		f.Add(s, "JPY")
	}
	f.Fuzz(func(t *testing.T, amount, currency string) {
		m, err := ParseMoney(amount, currency)
		if err != nil {
			if !errors.Is(err, ErrAmount) && !errors.Is(err, ErrCurrency) {
				t.Fatalf("error %v is none of the two", err)
			}
			return
		}
		if m.Minor <= 0 || m.Minor > maxMinor || m.check() != nil {
			t.Fatalf("accepted %+v", m)
		}
		again, err := ParseMoney(m.Decimal(), m.Currency)
		if err != nil || again != m {
			t.Fatalf("%+v is written %q and read %+v, %v", m, m.Decimal(), again, err)
		}
		for _, lang := range Languages() {
			if catalog()[lang].spoken(m) == "" {
				t.Fatalf("%s has no words for %+v", lang, m)
			}
		}
	})
}
