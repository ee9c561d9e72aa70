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

// TestSpokenAmountsAgree has the numbers at which each language changes its
// words: gender, plural, compounds, and what stands before a noun.
func TestSpokenAmountsAgree(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		lang     string
		n        int64
		currency string
		want     string
	}{
		{"es", 1, "EUR", "un euro"}, {"es", 21, "EUR", "veintiún euros"}, {"es", 31, "GBP", "treinta y una libras"},
		{"es", 200, "GBP", "doscientas libras"}, {"es", 501, "EUR", "quinientos un euros"},
		{"es", 1_000_000, "EUR", "un millón de euros"}, {"es", 1_000_100, "EUR", "un millón cien euros"},
		{"fr", 21, "GBP", "vingt et une livres"}, {"fr", 71, "EUR", "soixante et onze euros"},
		{"fr", 80, "EUR", "quatre-vingts euros"}, {"fr", 97, "EUR", "quatre-vingt-dix-sept euros"},
		{"fr", 280, "EUR", "deux cent quatre-vingts euros"}, {"fr", 200_000, "EUR", "deux cent mille euros"},
		{"fr", 2_000_000, "EUR", "deux millions d'euros"},
		{"de", 1, "EUR", "ein Euro"}, {"de", 21, "EUR", "einundzwanzig Euro"}, {"de", 1, "INR", "eine indische Rupie"},
		{"de", 1984, "EUR", "eintausendneunhundertvierundachtzig Euro"}, {"de", 1_000_000, "EUR", "eine Million Euro"},
		{"it", 1, "GBP", "una sterlina"}, {"it", 28, "EUR", "ventotto euro"}, {"it", 33, "EUR", "trentatré euro"},
		{"it", 2_000, "EUR", "duemila euro"}, {"it", 1_000_000, "EUR", "un milione di euro"},
		{"pt", 2, "GBP", "duas libras"}, {"pt", 121, "EUR", "cento e vinte e um euros"}, {"pt", 1_100, "BRL", "mil e cem reais"},
		{"pt", 1_120, "BRL", "mil cento e vinte reais"}, {"pt", 1_001, "BRL", "mil e um reais"},
		{"pt", 2_200, "GBP", "duas mil e duzentas libras"}, {"pt", 1_000_000, "BRL", "um milhão de reais"},
		{"pt", 1_001_500, "BRL", "um milhão mil e quinhentos reais"},
		{"ru", 1, "RUB", "один рубль"}, {"ru", 2, "JPY", "две иены"}, {"ru", 11, "RUB", "одиннадцать рублей"},
		{"ru", 21, "RUB", "двадцать один рубль"}, {"ru", 2_103, "RUB", "две тысячи сто три рубля"},
		{"ru", 5_000_000, "RUB", "пять миллионов рублей"},
		{"pl", 1, "PLN", "jeden złoty"}, {"pl", 3, "PLN", "trzy złote"}, {"pl", 12, "PLN", "dwanaście złotych"},
		{"pl", 22, "PLN", "dwadzieścia dwa złote"}, {"pl", 21, "PLN", "dwadzieścia jeden złotych"},
		{"pl", 2, "UAH", "dwie hrywny"}, {"pl", 5_002, "PLN", "pięć tysięcy dwa złote"}, {"pl", 1, "EUR", "jedno euro"},
		{"nl", 22, "EUR", "tweeëntwintig euro"}, {"nl", 31, "EUR", "eenendertig euro"}, {"nl", 1_001, "EUR", "duizend één euro"},
		{"zh", 2, "CNY", "两元"}, {"zh", 12, "CNY", "十二元"}, {"zh", 22, "CNY", "二十二元"}, {"zh", 202, "CNY", "两百零二元"},
		{"zh", 112, "CNY", "一百一十二元"}, {"zh", 2_020, "CNY", "两千零二十元"}, {"zh", 10_010, "CNY", "一万零一十元"},
		{"zh", 120_000_500, "CNY", "一亿两千万零五百元"},
		{"ko", 12, "EUR", "십이 유로"}, {"ko", 15_500, "KRW", "만 오천오백 원"}, {"ko", 120_000_000, "KRW", "일억 이천만 원"},
	} {
		digits, err := currencyDigits(c.currency)
		if err != nil {
			t.Fatal(err)
		}
		if got := catalog()[c.lang].spoken(Money{c.n * power(digits), c.currency}); got != c.want {
			t.Errorf("%s: %d %s is %q, want %q", c.lang, c.n, c.currency, got, c.want)
		}
	}
	for lang, want := range map[string]string{
		"es": "doce euros con un céntimo", "fr": "douze euros et un centime", "de": "zwölf Euro und ein Cent", "it": "dodici euro e un centesimo",
		"pt": "doze euros e um cêntimo", "ru": "двенадцать евро один цент", "pl": "dwanaście euro i jeden cent", "nl": "twaalf euro en één cent",
		"zh": "十二欧元一欧分", "ko": "십이 유로 일 센트",
	} {
		if got := catalog()[lang].spoken(Money{1201, "EUR"}); got != want {
			t.Errorf("%s: %q, want %q", lang, got, want)
		}
	}
}

// TestNumbersEnd counts through all rules; every number has words, and two
// numbers never have the same.
func TestNumbersEnd(t *testing.T) {
	t.Parallel()
	for _, lang := range Languages() {
		l := catalog()[lang]
		seen := map[string]int64{}
		numbers := []int64{999_999, 1_000_000, 999_999_999_999, maxMinor}
		for n := range int64(2_300) {
			numbers = append(numbers, n, n*1_000+n, n*10_000)
		}
		for _, n := range numbers {
			for _, gender := range []string{"", "feminine", "measure"} {
				if words := l.number(n, gender); words == "" || strings.ContainsAny(words, "<>[]|0123456789") || strings.TrimSpace(words) != words {
					t.Fatalf("%s: %d is %q", lang, n, words)
				}
			}
			words := l.number(n, "")
			if was, ok := seen[words]; ok && was != n {
				t.Fatalf("%s: %q is %d and %d", lang, words, was, n)
			}
			seen[words] = n
		}
	}
}
