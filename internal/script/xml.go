package script

import (
	"encoding/xml"
	"fmt"
	"strings"
	"time"
)

// SSML renders the script as a W3C Speech Synthesis Markup document, with the
// code in clear. Digits are words with their punctuation and a break between
// them, so an engine that ignores breaks still rests. As in Text, nothing waits
// at a gate.
func (s Script) SSML() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<speak xml:lang="%s" version="1.0" xmlns="http://www.w3.org/2001/10/synthesis">`, escape(VoiceTag(s.Lang)))
	for _, it := range s.flow() {
		if it.Kind == KindSilence {
			fmt.Fprintf(&b, `<break time="%dms"/>`, it.Silence.Milliseconds())
			continue
		}
		b.WriteString(escape(it.text))
	}
	return strings.TrimSpace(b.String()) + "</speak>"
}

// TwiML renders the script as a TwiML document, with the code in clear.
//
// A gate is a <Gather> around its prompt, said twice at most, and the document
// ENDS there with a good-bye: TwiML falls through a <Gather> that got no key,
// so a code behind it would be read to a mailbox. When keys come, the carrier
// asks the call's URL again, with Digits; answer a right entry with
// s.AfterGate().TwiML(). The menu is a <Gather> as well: its keys arrive the
// same way, and no key falls through to the good-bye.
//
// <Pause> counts whole seconds: shorter silences are punctuation.
func (s Script) TwiML() string {
	w := twiml{voice: VoiceTag(s.Lang)}
	w.b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n<Response>")
	for _, it := range s.flow() {
		switch {
		case it.Kind == KindSilence && it.Silence >= time.Second:
			w.flush()
			fmt.Fprintf(&w.b, `<Pause length="%d"/>`, int(it.Silence.Round(time.Second)/time.Second))
		case it.Kind == KindGate:
			w.gather(it.text, it.Gate.keys())
			w.gather(it.text, it.Gate.keys())
			if a, err := ComposeAside(s.Lang, AsideGateMissed); err == nil {
				w.text.WriteString(a.Text())
			}
			return w.end()
		case it.Kind == KindMenu:
			w.gather(it.text, 1)
		default:
			w.text.WriteString(it.text)
		}
	}
	return w.end()
}

// twiml collects text until something else than text comes.
type twiml struct {
	b, text strings.Builder
	voice   string
}

func (w *twiml) say(text string) {
	if text = strings.TrimSpace(text); text != "" {
		fmt.Fprintf(&w.b, `<Say language="%s">%s</Say>`, escape(w.voice), escape(text))
	}
}

func (w *twiml) flush() {
	w.say(w.text.String())
	w.text.Reset()
}

// gather prompts for keys; an empty finishOnKey makes # and * keys like others.
func (w *twiml) gather(prompt string, keys int) {
	w.flush()
	fmt.Fprintf(&w.b, `<Gather input="dtmf" numDigits="%d" timeout="8" finishOnKey="">`, keys)
	w.say(prompt)
	w.b.WriteString("</Gather>")
}

func (w *twiml) end() string {
	w.flush()
	w.b.WriteString("<Hangup/></Response>")
	return w.b.String()
}

// escape makes text safe in XML content and attributes; what XML cannot hold
// becomes U+FFFD.
func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder does not fail
	return b.String()
}
