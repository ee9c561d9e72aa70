// Package speech turns scripts into sound: voice packs for phrases and digits,
// engines for the words that no pack can hold, and a cache of what they said.
//
// It knows scripts and sound. It must not know lines, calls or verifications, and
// it never gives a digit of a code to an engine.
package speech

//go:generate go run ./render -out packs
