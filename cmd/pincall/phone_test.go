package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/app"
	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/script"
)

// heardOnPage reads the code from the transcript, once its first readout is there.
func heardOnPage(tb *tab) string {
	tb.t.Helper()
	const again = "I repeat"
	tb.until("the code was read once", `document.getElementById("log").textContent.includes("`+again+`")`)
	said := evaluate[[]string](tb, `[...document.querySelectorAll("#log .said")].map((p) => p.textContent.replace(/[.]*$/, ". "))`)
	first, _, _ := strings.Cut(strings.Join(said, ""), again)
	codes, err := script.ReadBack(first, "en", 6)
	if err != nil || len(codes) != 1 {
		tb.t.Fatalf("%d readouts before the repetition: %v", len(codes), err)
	}
	return codes[0]
}

// startOn fills in the form and starts.
func startOn(tb *tab, number, gate string) {
	tb.t.Helper()
	tb.fill("#to", number)
	tb.click(`input[name="gate"][value="` + gate + `"]`)
	tb.click("#start-button")
}

// TestPhonePageCall is a person's whole call at the pace of a real one, with the
// keyboard alone once it rings.
func TestPhonePageCall(t *testing.T) {
	t.Parallel()
	tb := openPhone(t, "real")
	tb.picture("real-1-idle")
	startOn(tb, "+14155550150", "any_key")
	tb.until("the phone rings", `document.getElementById("phone").dataset.state === "ringing"`)
	tb.picture("real-2-ringing")
	tb.key("\r") // the focus is on the button that answers
	tb.until("the gate waits", `document.getElementById("hint").textContent.includes("any key")`)
	tb.picture("real-3-gate")
	tb.key("5")
	code := heardOnPage(tb)
	tb.picture("real-4-call")

	tb.fill("#code", other(code)+"\r")
	tb.until("a wrong code is told", `document.getElementById("verdict").textContent.includes("4 guesses left")`)
	tb.picture("real-5-wrong")
	tb.fill("#code", code[:3]+" "+code[3:]+"\r")
	tb.until("the right code is approved", `document.getElementById("progress").dataset.status === "approved"`)
	tb.until("it says so", `document.getElementById("verdict").textContent.includes("Approved")`)

	evaluate[bool](tb, `(document.getElementById("device").focus(), true)`)
	tb.key("\x1b")
	tb.until("the call is over", `document.getElementById("phone").dataset.outcome === "heard"`)
	tb.picture("real-6-approved")
	// Ten seconds were heard at the least, and speech is no silence.
	if all, loud := evaluate[int](tb, `+document.getElementById("phone").dataset.samples`), evaluate[int](tb, `+document.getElementById("phone").dataset.loud`); all < 10*audio.Rate || loud < 2*audio.Rate {
		t.Errorf("%d samples of sound, %d of them no silence", all, loud)
	}
	tb.clean()
}

// TestPhonePageMisfortunes shows every way in which a call can fail.
func TestPhonePageMisfortunes(t *testing.T) {
	t.Parallel()
	tb := openPhone(t, "fast")
	for i, row := range []struct {
		next, outcome, words string
		reached              bool // the phone knows of the call
	}{
		{"busy", "busy", "Busy", false},
		{"no_answer", "no_answer", "No answer", true},
		{"voicemail", "machine", "Voicemail", true},
		{"declines", "rejected", "Declined", true},
		{"unreachable", "unreachable", "Unreachable", false},
		{"hangs_up", "hung_up_early", "Hung up", true},
		{"answers", "heard", "Heard", true},
	} {
		number := fmt.Sprintf("+1415555015%d", i)
		tb.fill("#to", number)
		tb.click(`#next-chips input[value="` + row.next + `"]`)
		tb.until("the phone will do so", `document.querySelector('#next-chips input[value="`+row.next+`"]').checked`)
		startOn(tb, number, "any_key")
		tb.ended(row.next, row.outcome, row.words)
		if row.reached {
			tb.until("the phone tells "+row.outcome, fmt.Sprintf(`document.getElementById("phone").dataset.outcome === %q`, row.outcome))
		}
		if row.next == "voicemail" {
			tb.picture("fast-voicemail")
		}
	}
	tb.fill("#to", "+14155550159")
	for _, row := range []struct{ next, state, outcome, words string }{
		{"manual", "ringing", "rejected", "Declined"},
		{"manual", "in_call", "hung_up_early", "Hung up"},
		{"hello", "in_call", "hung_up_early", "Hung up"}, // answers by itself
	} {
		tb.click(`#next-chips input[value="` + row.next + `"]`)
		startOn(tb, "+14155550159", "any_key")
		if row.next == "manual" && row.state == "in_call" {
			tb.click("#answer")
		}
		tb.until("the phone is "+row.state, `document.getElementById("phone").dataset.state === "`+row.state+`"`)
		tb.click("#hangup")
		tb.ended("hung up while "+row.state, row.outcome, row.words)
	}
	tb.clean()
}

// ended waits until the form tells how the call ended, with a reason.
func (tb *tab) ended(what, outcome, words string) {
	tb.t.Helper()
	tb.until(what+": the form tells "+outcome, fmt.Sprintf(`[...document.querySelectorAll("#attempts li")].at(-1)?.dataset.outcome === %q`, outcome))
	shown := evaluate[string](tb, `document.getElementById("attempts").textContent`)
	reason := evaluate[string](tb, `document.querySelector("#attempts .why")?.textContent ?? ""`)
	if !strings.Contains(shown, words) || len(reason) < 10 {
		tb.t.Errorf("%s: the page shows %q", what, shown)
	}
}

// TestPhonePageScreenDigits passes the gate with the digits that the form shows,
// by mouse, on a small screen; the code comes a second time by message.
func TestPhonePageScreenDigits(t *testing.T) {
	t.Parallel()
	tb := openPhone(t, "fast")
	startOn(tb, "+14155550150", "screen_digits")
	tb.click("#answer")
	tb.until("the form shows two digits", `/^\d\d$/.test(document.getElementById("digits-shown").textContent)`)
	tb.until("the gate waits", `document.getElementById("hint").textContent.includes("two digits")`)
	for _, digit := range evaluate[string](tb, `document.getElementById("digits-shown").textContent`) {
		tb.click(fmt.Sprintf(`[data-key="%c"]`, digit))
	}
	code := heardOnPage(tb)
	tb.fill("#code", code+"\r")
	tb.until("the code is approved", `document.getElementById("progress").dataset.status === "approved"`)

	tb.fill("#to", "+14155550151")
	tb.click(`input[name="channel"][value="sms"]`)
	tb.click("#start-button")
	tb.until("the message is there", `document.querySelectorAll("#messages li").length === 1`)
	text := evaluate[string](tb, `document.querySelector("#messages li").textContent`)
	code = regexp.MustCompile(`\b\d{6}\b`).FindString(text)
	tb.until("a new verification waits", `document.getElementById("progress").dataset.status === "pending"`)
	tb.fill("#code", code+"\r")
	tb.until("the code is approved", `document.getElementById("progress").dataset.status === "approved"`)
	tb.clean()
}

// TestPhonePageAsksForKey opens the page under a name that is not this machine's:
// it shows nothing without an admin key, and keeps the key to itself.
func TestPhonePageAsksForKey(t *testing.T) {
	t.Parallel()
	browser := findBrowser(t)
	address, data := servePhones(t, "fast")
	_, port, _ := strings.Cut(address, ":")
	tb := openTab(t, browser, "http://"+otherName+":"+port)
	key, err := app.ReadKeyFile(data)
	if err != nil {
		t.Fatal(err)
	}
	tb.do(chromedp.WaitVisible(chromedp.CSS("#key")))
	tb.picture("key")
	tb.fill("#key", "pck_wrong\r")
	tb.until("a wrong key is told", `document.getElementById("key-fault").textContent.includes("does not work")`)
	if evaluate[bool](tb, `!document.getElementById("app").hidden`) {
		t.Error("the phones are shown without a key")
	}
	tb.fill("#key", key+"\r")
	tb.connected()
	startOn(tb, "+14155550150", "any_key")
	tb.click("#answer")
	tb.until("the phone is answered", `document.getElementById("phone").dataset.state === "in_call"`)
	if kept := evaluate[string](tb, `JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href, document.getElementById("key").value])`); strings.Contains(kept, "pck_") {
		t.Error("the page keeps the key")
	}
}

// TestPhonePageRefusedChoice shows why a choice for the next call was refused, and
// takes it back.
func TestPhonePageRefusedChoice(t *testing.T) {
	t.Parallel()
	tb := openPhone(t, "fast")
	evaluate[bool](tb, `Promise.all([import("/phone/assets/next.js"), import("/phone/assets/api.js")]).then(([{NextCall}, {Refusal}]) => {
		const next = new NextCall({next: () => Promise.reject(new Refusal(422, {detail: "not today"}))}, ["busy"]);
		next.show("+14155550150");
		[...document.querySelectorAll("#next-chips input")].at(-1).click();
		return true;
	})`)
	tb.until("the refusal is told", `document.getElementById("next-note").textContent === "Not today."`)
	if evaluate[bool](tb, `[...document.querySelectorAll("#next-chips input")].at(-1).checked`) {
		t.Error("a choice that was refused stays")
	}
	tb.clean()
}

// TestPhonePageDecodes compares the page's G.711 with ours, byte by byte.
func TestPhonePageDecodes(t *testing.T) {
	t.Parallel()
	tb := openPhone(t, "fast")
	bytes, want := make([]byte, 256), make([]int16, 256)
	for i := range bytes {
		bytes[i] = byte(i)
	}
	audio.PCMU.Decode(want, bytes)
	got := evaluate[[]int16](tb, `import("/phone/assets/mulaw.js").then((m) => Array.from({length: 256}, (_, i) => m.linear(i)))`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	tb.clean()
}
