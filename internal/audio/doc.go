// Package audio is sound as a telephone carries it: mono 16-bit samples, G.711
// frames of 20 ms, keys as DTMF tones, and what can be measured on them: level,
// speech, silence.
//
// It knows numbers and bytes in memory. It does no I/O, and must not know where
// a sound comes from, where it goes, or what is said in it.
package audio
