package script

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]string{
		"en": "en", "en-GB": "en", "EN_us": "en", "ja": "ja", "ja-JP": "ja", "jpn": "ja", "en-US-u-co-phonebk": "en", "en-Latn-ZA": "en",
		"es-MX": "es", "es-419": "es", "pt-PT": "pt", "pt-BR": "pt", "fr-CA": "fr", "de-CH": "de", "zh-CN": "zh", "zh-Hans-SG": "zh",
		"nl-BE": "nl", "ko-KR": "ko", "ru-KZ": "ru", "it-CH": "it", "pl-PL": "pl",
	} {
		if got, err := Match(tag); got != want || err != nil {
			t.Errorf("Match(%q) = %q, %v, want %q", tag, got, err, want)
		}
	}
	for _, tag := range []string{"", "zh-TW", "zh-HK", "yue", "xx", "tlh", "und", "und-JP", "english", "e", "*", "../en", "en\x00", strings.Repeat("en-", 99), "x-en"} {
		got, err := Match(tag)
		if got != "" || err == nil || !strings.HasSuffix(err.Error(), "want one of "+strings.Join(Languages(), ", ")) {
			t.Errorf("Match(%q) = %q, %v, want an error that names the languages only", tag, got, err)
		}
	}
}

func TestCountriesAndVoices(t *testing.T) {
	t.Parallel()
	if want := []string{"de", "en", "es", "fr", "it", "ja", "ko", "nl", "pl", "pt", "ru", "zh"}; !cmp.Equal(want, Languages()) {
		t.Errorf("languages %v, want %v", Languages(), want)
	}
	for iso, want := range map[string]string{
		"JP": "ja", "jp": "ja", "US": "en", "GB": "en", "": "en", "ZZ": "en",
		"DE": "de", "AT": "de", "LI": "de", "ES": "es", "MX": "es", "AR": "es", "PR": "es", "FR": "fr", "SN": "fr", "IT": "it", "PT": "pt", "BR": "pt",
		"AO": "pt", "RU": "ru", "BY": "ru", "CN": "zh", "KR": "ko", "NL": "nl", "SR": "nl", "PL": "pl",
		// Where several languages share a country, or one that is not here dominates.
		"CH": "en", "BE": "en", "LU": "en", "CA": "en", "CM": "en", "SG": "en", "HK": "en", "TW": "en", "MO": "en",
		"AE": "en", "IN": "en", "MA": "en", "UA": "en", "KZ": "en", "FI": "en",
	} {
		if got := ForCountry(iso); got != want {
			t.Errorf("ForCountry(%q) = %q, want %q", iso, got, want)
		}
	}
	for lang, want := range map[string]string{
		"en": "en-US", "en-GB": "en-US", "ja": "ja-JP", "xx": "", "": "",
		"de": "de-DE", "es-AR": "es-ES", "fr": "fr-FR", "it": "it-IT", "pt-PT": "pt-BR", "ru": "ru-RU", "zh": "zh-CN", "ko": "ko-KR", "nl": "nl-NL", "pl": "pl-PL",
	} {
		if got := VoiceTag(lang); got != want {
			t.Errorf("VoiceTag(%q) = %q, want %q", lang, got, want)
		}
	}
	seen := map[string]string{}
	for _, lang := range Languages() {
		for _, iso := range catalog()[lang].Countries {
			if seen[iso] != "" {
				t.Errorf("%s is claimed by %s and %s", iso, seen[iso], lang)
			}
			seen[iso] = lang
		}
	}
}

// TestParseLanguageRefuses spoils the English file line by line.
func TestParseLanguageRefuses(t *testing.T) {
	t.Parallel()
	b, err := languageFiles.ReadFile("lang/en.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for old, spoilt := range map[string]string{
		"tag: en\n":                         "tag: EN\n",
		"voice: en-US":                      "voice: nothing at all",
		"pace: {letter_ms: 70,":             "pace: {letter_ms: 0,",
		"short: \",\"":                      "short: \"\"",
		"[zero, one,":                       "[one, one,",
		"seven, eight, nine]":               "seven, eight]",
		"[zero, one, two,":                  "[zero, number, two,",
		"  bye: ":                           "  good_bye: ",
		"This is {brand},":                  "This is {brands},",
		"  valid: ":                         "  valid: \"\"\n  unused: ",
		"JPY: {major":                       "JPX: {major",
		"carrier: number":                   "carrier: number\ncarriers: 2",
		"  9: nine\n":                       "",
		"other: \"{n} minutes\"":            "many: \"{n} minutes\"",
		"carrier: number\n":                 "carrier: number\nkeys: {2: two}\n",
		"listen:\n":                         "listen:\n  digits: {one: 2}\n",
		"listen:":                           "listen:\n  digits: {Ace: 1}",
		"<count> hundred[ <rest>":           "<count:feminine> hundred[ <rest>",
		"<count> thousand":                  "<same> thousand",
		"<count> million[ <rest>]":          "<count> million[ <rest:and>]",
		"<count> billion":                   "<counts> billion",
		"<count> billion[":                  "<count billion[",
		"JPY: {major: {other: \"{n} yen\"}": "JPY: {major: {other: \"{n} yen\"}, gender: {major: feminine}",
		"minor: {one: \"{n} gro":            "minro: {one: \"{n} gro",
		"common: [the, this, is,":           "common: [the]\n  rare: [this, is,",
	} {
		text := strings.Replace(string(b), old, spoilt, 1)
		if text == string(b) {
			t.Errorf("%q is not in the file", old)
			continue
		}
		if _, err := parseLanguage([]byte(text)); err == nil {
			t.Errorf("with %q for %q the file is accepted", spoilt, old)
		}
	}
}

// TestPlurals reads a made-up Polish file: a language with other plural rules
// needs a file only.
func TestPlurals(t *testing.T) {
	t.Parallel()
	b, err := languageFiles.ReadFile("lang/en.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(
		"tag: en\n", "tag: pl\n",
		`minutes: {one: "{n} minute", other: "{n} minutes"}`, `minutes: {one: "{n} minuta", few: "{n} minuty", many: "{n} minut", other: "{n} minuty"}`,
	).Replace(string(b))
	l, err := parseLanguage([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range []int64{1, 2, 5, 10, 22, 112, 1_000_001, 10_000_002} {
		got = append(got, strings.TrimPrefix(l.pick(l.Minutes, n), "{n} "))
	}
	want := []string{"minuta", "minuty", "minut", "minut", "minuty", "minut", "minut", "minuty"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("plural forms (-want +got):\n%s", diff)
	}
}

func TestUnitsCoverScripts(t *testing.T) {
	t.Parallel()
	for _, lang := range Languages() {
		units, err := Units(lang)
		if err != nil {
			t.Fatal(err)
		}
		have := map[string]bool{}
		for _, u := range units {
			have[u.Words] = true
		}
		for _, plain := range []bool{false, true} {
			for _, gate := range []Gate{GateNone, GateAnyKey, GateScreenDigits} {
				s, err := Compose(Message{
					Lang: lang, Brand: "Acme", Code: mustCode(t, "0123456789"), Gate: gate, Menu: true, PlainDigits: plain,
					Amount: &Money{1250, "EUR"}, Payee: "Shop",
				})
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range s.Parts {
					if free := p.Kind == KindBrand || p.Kind == KindAmount || p.Kind == KindPayee; !free && p.Words != "" && !have[p.Words] {
						t.Errorf("%s: no unit for %q", lang, p.Words)
					}
				}
			}
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"Acme", " Acme ", "Smith & Söhne", "<b>\"x\"</b>", "日本銀行", "Studio 54", "4711", "Yahoo!", "Acme Inc.", "Dr. Who", "24/7",
		strings.Repeat("é", 40), strings.Repeat("e\u0301", 40), "日本\u3000銀行",
	} {
		if err := errors.Join(CheckBrand(good), CheckPayee(good)); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "  ", "!!!", strings.Repeat("x", 41), "a\nb", "a\x00b", "a\u200bb", "a\u202eb", "bad\xffutf", "acme.com", "www.acme",
		"http://x", "call +1 415", "０３-1234-5678", "415 555 0100", "12.34.56", "acme。com",
	} {
		err := CheckBrand(bad)
		if err == nil || CheckPayee(bad) == nil {
			t.Errorf("%q is accepted", bad)
			continue
		}
		if len(bad) > 3 && strings.Contains(err.Error(), strings.TrimSpace(bad)) && strings.TrimSpace(bad) != "" {
			t.Errorf("the error repeats %q", bad)
		}
	}
	if got := NormalizePayee("  Cafe\u0301   Bar\t"); got != "Café Bar" {
		t.Errorf("NormalizePayee gives %q", got)
	}
}

func TestComposeRefuses(t *testing.T) {
	t.Parallel()
	code := mustCode(t, "4829")
	for name, m := range map[string]Message{
		"no language":       {Code: code},
		"unknown language":  {Lang: "xx", Code: code},
		"no code":           {Lang: "en"},
		"unknown gate":      {Lang: "en", Code: code, Gate: "maybe"},
		"bad brand":         {Lang: "en", Code: code, Brand: "acme.com"},
		"bad payee":         {Lang: "en", Code: code, Payee: "a\x00"},
		"brand as a code":   {Lang: "en", Code: code, Brand: "One Two Three Four"},
		"payee as a code":   {Lang: "ja", Code: code, Payee: "いち、にー、さん、よん"},
		"no amount":         {Lang: "en", Code: code, Amount: &Money{0, "EUR"}},
		"unknown currency":  {Lang: "en", Code: code, Amount: &Money{1, "ZZZ"}},
		"too short":         {Lang: "en", Code: code, Longest: 5 * time.Second},
		"negative duration": {Lang: "en", Code: code, Longest: -1},
	} {
		s, err := Compose(m)
		if err == nil || s.Parts != nil || strings.Contains(err.Error(), "4829") {
			t.Errorf("%s: error %v, want one and no script", name, err)
		}
	}
	for _, text := range []string{"", " \n", "...", "a\x00b", "\xff", strings.Repeat("x", 1501)} {
		if _, err := ComposeText("en", text); err == nil {
			t.Errorf("a text of %d bytes is accepted", len(text))
		}
	}
	if _, err := ComposeText("xx", "hello"); err == nil {
		t.Error("a text in an unknown language is accepted")
	}
	if _, err := ComposeAside("en", "other"); err == nil {
		t.Error("an unknown aside is accepted")
	}
	if g, err := ParseGate("nothing"); err == nil || g != "" || strings.Contains(err.Error(), "nothing") {
		t.Errorf("ParseGate gives %q, %v", g, err)
	}
}

func TestAsides(t *testing.T) {
	t.Parallel()
	for _, lang := range Languages() {
		for _, a := range []Aside{AsideCanceled, AsideGateMissed, AsideReported} {
			s, err := ComposeAside(lang, a)
			if err != nil || len(s.Parts) != 1 || s.Duration() > 15*time.Second || s.Parts[0].Section != SectionBye {
				t.Errorf("%s: %s is %v, %v", lang, a, s, err)
			}
		}
	}
}

func FuzzMatch(f *testing.F) {
	for _, s := range []string{"en", "ja-JP", "zh-Hant-TW", "und", "x-y", "i-klingon", "en-u-rg-gbzzzz", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, tag string) {
		got, err := Match(tag)
		if (err == nil) != (got != "") {
			t.Fatalf("Match gives %q, %v", got, err)
		}
		if err == nil && VoiceTag(got) == "" {
			t.Fatalf("%q has no voice", got)
		}
	})
}

func FuzzReadBack(f *testing.F) {
	for _, s := range []string{"number nine, number one. Number two, three", "きゅう、いち、さん。ゼロ", "9, 7, 2, 9", "isNumber 9,Number", "\xff'o’", "９。"} {
		f.Add(s, 4)
	}
	code := mustCode(f, "9729")
	f.Fuzz(func(t *testing.T, text string, n int) {
		for _, lang := range Languages() {
			all, err := ReadBack(text, lang, n)
			for _, digits := range all {
				if len(digits) != n || !allDigits(digits) {
					t.Fatalf("%s: heard %q for %d digits", lang, digits, n)
				}
			}
			if (err == nil) != (len(all) > 0) {
				t.Fatalf("%s: %d readouts and error %v", lang, len(all), err)
			}
			LintText(text, lang, code)
		}
	})
}
