package script

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Text renders the script for a carrier's own text-to-speech, with the code in
// clear: digits as words, each set off by punctuation that makes a pause, in
// sentences of the language. A silence before the digits becomes the language's
// longest pause, one elsewhere the end of the sentence before it; the first one
// of a call is left to the carrier. Gate and menu are said as sentences:
// compose without them for a carrier that takes no keys.
func (s Script) Text() string {
	var b strings.Builder
	for _, it := range s.flow() {
		b.WriteString(it.text)
	}
	return strings.TrimSpace(b.String())
}

// slow is the silence from which on two digits stand in two sentences.
const slow = 600 * time.Millisecond

// item is a part with its place in running text: words, punctuation and space.
// The text of a silence is empty, as its neighbours hold the punctuation.
type item struct {
	Part
	text string
}

// flow sets the parts in running text. All renderers go through it, so they agree
// on punctuation: the pace of a readout, given by its silences, becomes commas and
// full stops, and each readout is punctuated in its own way.
func (s Script) flow() []item {
	marks := marksOf(s.Lang)
	items := make([]item, len(s.Parts))
	capital := true
	for i, p := range s.Parts {
		items[i].Part = p
		if p.Kind == KindSilence {
			continue
		}
		text := p.Words
		switch {
		case p.Kind == KindDigit:
			text += s.afterDigit(i) + marks.space
			if capital {
				text = upperFirst(text)
			}
		case s.leadsToDigits(i):
			text = strings.TrimRightFunc(text, isPauseMark) + marks.pause + marks.space
		default:
			text += p.After
		}
		items[i].text = text
		if t := strings.TrimSpace(text); t != "" {
			last, _ := utf8.DecodeLastRuneInString(t)
			capital = isSentenceEnd(last)
		}
	}
	return items
}

// leadsToDigits tells whether a silence and then a digit follow part i.
func (s Script) leadsToDigits(i int) bool {
	return i+2 < len(s.Parts) && s.Parts[i+1].Kind == KindSilence && s.Parts[i+2].Kind == KindDigit
}

// afterDigit is the punctuation behind the digit that is part i.
func (s Script) afterDigit(i int) string {
	marks := marksOf(s.Lang)
	switch {
	case i+1 < len(s.Parts) && s.Parts[i+1].Kind == KindDigit:
		return "" // no silence between two digits: the linter's to refuse, not ours to hide
	case s.leadsToDigits(i) && s.Parts[i+1].Silence < slow:
		return marks.short
	}
	return marks.stop
}

// marks is the punctuation of a language.
type marks struct{ space, short, stop, pause string }

func marksOf(lang string) marks {
	l := catalog()[lang]
	if l == nil {
		return marks{space: " ", short: ",", stop: ".", pause: "..."}
	}
	return marks{l.Marks.Space, l.Marks.Short, l.Marks.Stop, l.Marks.Pause}
}

func upperFirst(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[size:]
}

// isSentenceEnd tells the marks after which a sentence begins.
func isSentenceEnd(r rune) bool {
	switch r {
	case '.', '!', '?', '…', '。', '！', '？', '।', '؟':
		return true
	}
	return false
}

// isPauseMark tells the marks at which an engine rests.
func isPauseMark(r rune) bool {
	switch r {
	case ',', ';', ':', '、', '，', '；', '：', '،', '—':
		return true
	}
	return isSentenceEnd(r)
}
