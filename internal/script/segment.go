package script

import (
	"strings"
	"unicode/utf16"
)

// The encodings of a text message.
const (
	EncodingGSM7 = "GSM-7" // 7 bits a letter: 3GPP TS 23.038, default alphabet and its extension table
	EncodingUCS2 = "UCS-2" // 16 bits a letter, in fact UTF-16
)

// gsmBasic is the default alphabet without the escape; gsmExtended are the
// letters that take an escape before them, so two septets.
const (
	gsmBasic = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
		"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsmExtended = "\f^{}\\[~]|€"
)

// What fits a message alone, and each part of a longer one, whose header takes
// six octets (3GPP TS 23.040): septets for GSM-7, UTF-16 code units for UCS-2.
const (
	gsmAlone, gsmPart   = 160, 153
	ucs2Alone, ucs2Part = 70, 67
)

// Segments counts the messages a text is sent and billed as, and names the
// encoding: one letter outside GSM-7 makes all of it UCS-2. An escape stays with
// its letter and a surrogate pair together, so a part may end short of its
// limit. An empty text has no segment. Carriers that transliterate first may
// count fewer.
func Segments(text string) (encoding string, n int) {
	encoding, alone, part := EncodingGSM7, gsmAlone, gsmPart
	width := gsmWidth
	if strings.ContainsFunc(text, func(r rune) bool { return gsmWidth(r) == 0 }) {
		encoding, alone, part = EncodingUCS2, ucs2Alone, ucs2Part
		width = utf16.RuneLen
	}
	total, used := 0, part
	for _, r := range text {
		w := width(r)
		total += w
		if used += w; used > part {
			n, used = n+1, w
		}
	}
	if total > 0 && total <= alone {
		n = 1
	}
	return encoding, n
}

// gsmWidth is how many septets a letter takes, 0 if it has none.
func gsmWidth(r rune) int {
	switch {
	case strings.ContainsRune(gsmBasic, r):
		return 1
	case strings.ContainsRune(gsmExtended, r):
		return 2
	}
	return 0
}
