package xoxzotest

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const required = "This field is required."

// checkPlayback returns what is wrong with a call.
func checkPlayback(form url.Values) complaints {
	bad := checkForm(form, "caller", "recipient", "recording_url", "tts_message", "tts_lang", "callbackurl", "tags")
	checkCaller(form, bad)
	checkRecipient(form, bad)
	recording, spoken := form.Has("recording_url"), form.Has("tts_message") || form.Has("tts_lang")
	switch {
	case recording && spoken:
		bad.add("non_field_errors", "Either recording_url or tts_message, not both.")
	case spoken:
		checkSpoken(form, bad)
	case recording:
		checkRecording(form.Get("recording_url"), bad)
	default:
		bad.add("recording_url", required)
	}
	return bad
}

// checkMessage returns what is wrong with a text message.
func checkMessage(form url.Values) complaints {
	bad := checkForm(form, "message", "recipient", "sender", "callbackurl", "tags")
	checkRecipient(form, bad)
	if !form.Has("message") {
		bad.add("message", required)
	}
	checkSender(form, bad)
	return bad
}

func checkCaller(form url.Values, bad complaints) {
	if n := len(form.Get("caller")); form.Has("caller") && (!digits(form.Get("caller")) || n < 3 || n > 15) {
		bad.add("caller", "A valid number is required.")
	}
	if !form.Has("caller") {
		bad.add("caller", required)
	}
}

func checkSender(form url.Values, bad complaints) {
	sender := form.Get("sender")
	switch {
	case !form.Has("sender"):
		bad.add("sender", required)
	case digits(sender) && len(sender) > 15:
		bad.add("sender", "Ensure this field has no more than 15 digits.")
	case !digits(sender) && (len(sender) > 10 || !alphanumeric(sender)):
		bad.add("sender", "Ensure this field has no more than 10 letters and digits.")
	}
}

// checkForm refuses what a lenient server would ignore: unknown keys, repeated keys, empty values, bytes that are not text.
func checkForm(form url.Values, known ...string) complaints {
	bad := complaints{}
	for key, values := range form {
		switch {
		case !slices.Contains(known, key):
			bad.add(key, "Unknown field.")
		case len(values) != 1:
			bad.add(key, "This field is given more than once.")
		case strings.TrimSpace(values[0]) == "":
			bad.add(key, "This field may not be blank.")
		case !utf8.ValidString(values[0]) || strings.ContainsRune(values[0], 0):
			bad.add(key, "Not a valid string.")
		}
	}
	if u, err := url.Parse(form.Get("callbackurl")); form.Has("callbackurl") &&
		(err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		bad.add("callbackurl", "Enter a valid URL.")
	}
	for tag := range strings.SplitSeq(form.Get("tags"), ",") {
		if form.Has("tags") && strings.TrimSpace(tag) != tag || form.Has("tags") && tag == "" {
			bad.add("tags", "Enter a valid list of tags.")
			break
		}
	}
	return bad
}

func checkRecipient(form url.Values, bad complaints) {
	switch {
	case !form.Has("recipient"):
		bad.add("recipient", required)
	case !strictE164(form.Get("recipient")):
		bad.add("recipient", "Enter a valid phone number in E.164 format.")
	}
}

// strictE164 accepts + and 8 to 15 digits, no trunk 0 after the country codes where one is dialled at home, a North American
// number of eleven digits, a Japanese one of eleven or twelve.
func strictE164(s string) bool {
	number, plus := strings.CutPrefix(s, "+")
	if !plus || !digits(number) || len(number) < 8 || len(number) > 15 || number[0] == '0' {
		return false
	}
	// Where a trunk 0 is dialled. Italy (39) is missing because its 0 belongs to the number.
	for _, code := range []string{"31", "32", "33", "40", "41", "43", "44", "46", "49", "60", "61", "62", "63", "64",
		"66", "81", "82", "84", "86", "90", "91", "92", "353", "358", "380", "880", "886", "966", "971", "972"} {
		if strings.HasPrefix(number, code+"0") {
			return false
		}
	}
	switch {
	case number[0] == '1':
		return len(number) == 11 && number[1] >= '2'
	case strings.HasPrefix(number, "81"):
		return len(number) == 11 || len(number) == 12
	}
	return true
}

// checkSpoken refuses a text that its voice could not read aloud.
func checkSpoken(form url.Values, bad complaints) {
	if !form.Has("tts_message") {
		bad.add("tts_message", required)
	}
	lang := form.Get("tts_lang")
	if !form.Has("tts_lang") {
		bad.add("tts_lang", required)
		return
	}
	latin, japanese, other := countScripts(form.Get("tts_message"))
	switch lang {
	case "en":
		if japanese+other > 0 {
			bad.add("tts_message", "The message is not in the language of tts_lang.")
		}
	case "ja": // names and brands may be Latin; a sentence may not
		if form.Has("tts_message") && (other > 0 || latin > japanese || japanese == 0) {
			bad.add("tts_message", "The message is not in the language of tts_lang.")
		}
	default:
		bad.add("tts_lang", "This is not a valid choice.")
	}
}

func countScripts(s string) (latin, japanese, other int) {
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Hiragana, unicode.Katakana, unicode.Han):
			japanese++
		case unicode.Is(unicode.Latin, r):
			latin++
		case unicode.IsLetter(r) && r != 'ー': // the mark that lengthens a vowel belongs to both kana
			other++
		}
	}
	return latin, japanese, other
}

// checkRecording: "https is not supported", "ascii letters or digits, underscores, slash or hyphens" (docs.xoxzo.com), and the
// dot and colon without which there is no URL.
func checkRecording(raw string, bad complaints) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "":
		bad.add("recording_url", "Enter a valid URL.")
	case u.Scheme != "http":
		bad.add("recording_url", "https is not supported.")
	case strings.ContainsFunc(raw, func(r rune) bool {
		return r > unicode.MaxASCII || !alphanumeric(string(r)) && !strings.ContainsRune("_/-.:", r)
	}):
		bad.add("recording_url", "The URL contains characters that are not allowed.")
	}
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func alphanumeric(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}
