// Command render makes the voice packs that package speech embeds: it renders
// every unit of a language file with a neural voice, listens to it through a bad
// telephone line, and writes what was heard beside the sound.
//
// It is for those who change a phrase, a voice or a language; building and using
// pincall needs none of it. Run it with go generate ./internal/speech, or for
// some languages alone:
//
//	go run ./internal/speech/render -lang en,ja -out internal/speech/packs
//
// It needs Python 3.11 with venv and pip, npm, tar, and for English the data of
// Debian's package pocketsphinx-testdata. What it installs goes into a folder
// under the user's cache (-cache) and nowhere else. Units whose words and voice a
// pack has already are left alone; remove its folder to render all of it. (The
// model adds noise of its own: a second rendering has other bytes.) One language takes about ten
// minutes on two idle cores.
//
// # A pack
//
// A folder named as the language, with one file per unit and rendition,
// UNIT.N.flac: 16 kHz, mono, 16 bits (the two lowest are zero). The units are
// those of [script.Units]: a phrase has the name of its Part.Phrase ("menu",
// "greeting.1"), which is safe as a file name as it is; "digit-9" is a plain
// digit, "number-9" one behind the carrier word. A phrase has one rendition, a
// digit three that differ in pace and intonation (two where a third is not heard
// as well).
//
// Every unit has an active level of -20 dBFS at 8 kHz, 45 ms of near-silence at
// each edge, and fades of 10 ms. The upper band is lifted by 3 dB, as a
// telephone's microphone does.
//
// pack.yaml names the voice and its licence, and says of each file:
//
//	words     what is said
//	sha256    of the file
//	seconds   its length
//	level     the active level in dBFS at 8 kHz
//	peak      dBFS
//	edges     the level of the first and last 30 ms, dBFS
//	ends      the first and last sample, as a share of full scale
//	step      the largest difference of two samples, as a share of full scale
//	made      the voice's settings: pace, style vector, closing stop
//	selected  the listener that chose this rendering among several, and its score
//	again     the same listener's score on lines that it did not choose by
//	scored    another listener's score; it had no part in the choice
//
// # The audition
//
// The line is G.711 mu-law with 10 % of its 20 ms frames lost at random, nothing
// put in their place. Digits are heard six in a row in random order, 400 ms apart,
// since a code is never one digit and recognizers that expect sentences fail on
// single words; each score is the share of hearings in which the digit was
// written down in its place. Whisper base selects, in every language. English is
// scored by pocketsphinx with the TIDIGITS model for plain digits, which is all
// that model knows, and by Whisper tiny.en behind the carrier word; the other
// languages by a listener that knows the voice and compares cepstra with the
// clean sound of the ten digits, in other styles than the one that is played. For
// a phrase,
// words_misheard is the share of words (letters, where a language has no spaces)
// that Whisper base wrote otherwise, numerals and spellings included.
//
// languages.yaml also describes Chinese, which is not rendered unless -lang names
// it: its digits were heard less well than those of the other languages.
//
// Japanese pitch accent does not come from the voice, which ignores it, but from
// Open JTalk's dictionary: see accent.py.
package main
