package script

import (
	"strings"
	"testing"
	"time"
)

func TestSegments(t *testing.T) {
	t.Parallel()
	x := strings.Repeat
	for name, c := range map[string]struct {
		text     string
		encoding string
		n        int
	}{
		"empty":                       {"", EncodingGSM7, 0},
		"one letter":                  {"a", EncodingGSM7, 1},
		"160 septets":                 {x("a", 160), EncodingGSM7, 1},
		"161 septets":                 {x("a", 161), EncodingGSM7, 2},
		"two full parts":              {x("a", 306), EncodingGSM7, 2},
		"one more":                    {x("a", 307), EncodingGSM7, 3},
		"three full parts":            {x("a", 459), EncodingGSM7, 3},
		"the euro takes two":          {x("€", 80), EncodingGSM7, 1},
		"81 euros":                    {x("€", 81), EncodingGSM7, 2},
		"an escape is not split":      {x("a", 152) + "€" + x("a", 152), EncodingGSM7, 3},
		"the same without an escape":  {x("a", 152) + "èè" + x("a", 152), EncodingGSM7, 2},
		"76 pairs a part":             {x("[", 153), EncodingGSM7, 3},
		"two times 76 pairs":          {x("[", 152), EncodingGSM7, 2},
		"the whole basic table":       {gsmBasic, EncodingGSM7, 1},
		"the whole extension table":   {gsmExtended, EncodingGSM7, 1},
		"capital c cedilla":           {"Ç", EncodingGSM7, 1},
		"small c cedilla":             {"ç", EncodingUCS2, 1},
		"small a acute":               {"á", EncodingUCS2, 1},
		"a backtick":                  {"`", EncodingUCS2, 1},
		"a tab":                       {"\t", EncodingUCS2, 1},
		"an apostrophe of a typist":   {"don’t", EncodingUCS2, 1},
		"70 units":                    {x("я", 70), EncodingUCS2, 1},
		"71 units":                    {x("я", 71), EncodingUCS2, 2},
		"two full parts of UCS-2":     {x("я", 134), EncodingUCS2, 2},
		"one unit more":               {x("я", 135), EncodingUCS2, 3},
		"35 surrogate pairs":          {x("😀", 35), EncodingUCS2, 1},
		"36 surrogate pairs":          {x("😀", 36), EncodingUCS2, 2},
		"33 pairs a part":             {x("😀", 66), EncodingUCS2, 2},
		"a pair is not split":         {x("😀", 67), EncodingUCS2, 3},
		"a pair at the seam":          {x("я", 66) + "😀" + x("я", 66), EncodingUCS2, 3},
		"one letter makes it UCS-2":   {x("a", 70) + "ê", EncodingUCS2, 2},
		"what is not UTF-8 is a rune": {"\xff", EncodingUCS2, 1},
	} {
		if encoding, n := Segments(c.text); encoding != c.encoding || n != c.n {
			t.Errorf("%s: %s, %d, want %s, %d", name, encoding, n, c.encoding, c.n)
		}
	}
	if n := len([]rune(gsmBasic)); n != 127 { // 128 places, one of them the escape
		t.Errorf("the basic table has %d letters, want 127", n)
	}
}

// TestSMSFitsOneSegment has a brand of 20 letters and a code of six digits.
func TestSMSFitsOneSegment(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"de": EncodingGSM7, "en": EncodingGSM7, "es": EncodingGSM7, "fr": EncodingGSM7, "it": EncodingGSM7,
		"nl": EncodingGSM7, "pl": EncodingGSM7, "pt": EncodingGSM7,
		"ja": EncodingUCS2, "ko": EncodingUCS2, "ru": EncodingUCS2, "zh": EncodingUCS2, // their scripts have no 7-bit alphabet
	}
	for _, lang := range Languages() {
		for _, minutes := range []time.Duration{1, 2, 5, 10, 22, 60} {
			text := SMS(Message{
				Lang: lang, Brand: "Abracadabra Bookshop", Code: mustCode(t, "482913"), Valid: minutes * time.Minute,
			})
			if encoding, n := Segments(text); encoding != want[lang] || n != 1 {
				t.Errorf("%s: %s, %d segments, want %s, 1: %s", lang, encoding, n, want[lang], text)
			}
		}
	}
}

func TestSMSDomain(t *testing.T) {
	t.Parallel()
	for _, lang := range Languages() {
		m := Message{Lang: lang, Brand: "Acme", Code: mustCode(t, "048291")}
		plain := SMS(m)
		m.Domain = "example.com"
		if got, want := SMS(m), plain+"\n@example.com #048291"; got != want {
			t.Errorf("%s: %q, want %q", lang, got, want)
		}
		m.Domain = "Example.com"
		if got := SMS(m); got != plain {
			t.Errorf("%s: %q has a domain that does not hold", lang, got)
		}
		if _, err := Compose(m); err == nil {
			t.Errorf("%s: Compose accepts the domain", lang)
		}
	}
}

func TestCheckDomain(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"example.com", "a.b", "login.example.co.uk", "xn--bcher-kva.example", "4711.example", "a-b.example", "x.xn--p1ai",
		strings.Repeat("a", 63) + ".example",
	} {
		if err := CheckDomain(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "localhost", "example.com.", ".example.com", "a..b", "Example.com", "bücher.example", "example.com:443", "https://example.com",
		"example.com/", "user@example.com", "a b.example", "-a.example", "a-.example", "192.0.2.1", "[::1]", "a_b.example", "example.com\n",
		"example.com #123456", strings.Repeat("a", 64) + ".example", strings.Repeat("a.", 127) + "example",
	} {
		if err := CheckDomain(bad); err == nil || len(bad) > 4 && strings.Contains(err.Error(), bad) {
			t.Errorf("%q: error %v, want one that does not repeat it", bad, err)
		}
	}
}

func TestMinutesPlural(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		lang    string
		minutes time.Duration
		want    string
	}{
		{"de", 1, "Er gilt 1 Minute."}, {"de", 2, "Er gilt 2 Minuten."},
		{"en", 1, "It is valid for 1 minute."}, {"en", 21, "It is valid for 21 minutes."},
		{"es", 1, "Vence en 1 minuto."}, {"fr", 1, "Il est valable 1 minute."}, {"fr", 2, "Il est valable 2 minutes."},
		{"it", 1, "Scade tra 1 minuto."}, {"nl", 1, "De code is 1 minuut geldig."}, {"pt", 10, "Expira em 10 minutos."},
		{"pl", 1, "Wygasa za 1 min."}, {"pl", 3, "Wygasa za 3 minuty."}, {"pl", 5, "Wygasa za 5 minut."},
		{"pl", 12, "Wygasa za 12 minut."}, {"pl", 22, "Wygasa za 22 minuty."},
		{"ru", 1, "Срок 1 минута."}, {"ru", 3, "Срок 3 минуты."}, {"ru", 5, "Срок 5 минут."},
		{"ru", 11, "Срок 11 минут."}, {"ru", 21, "Срок 21 минута."},
		{"ja", 10, "有効期限は10分です。"}, {"zh", 10, "10分钟内有效。"}, {"ko", 10, "유효 시간 10분."},
	} {
		got := SMS(Message{Lang: c.lang, Code: mustCode(t, "4829"), Valid: c.minutes * time.Minute})
		if !strings.HasSuffix(got, c.want) {
			t.Errorf("%s, %d minutes: %q, want %q at its end", c.lang, c.minutes, got, c.want)
		}
	}
}

func FuzzSegments(f *testing.F) {
	for _, s := range []string{"", "a", "€", "😀", "\xff", strings.Repeat("a", 152) + "€"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		encoding, n := Segments(text)
		_, longer := Segments(text + "a")
		if (n == 0) != (text == "") || longer < n || longer > n+1 && n > 1 {
			t.Fatalf("%s: %d segments, %d with a letter more", encoding, n, longer)
		}
	})
}
