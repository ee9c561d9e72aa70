package main

import (
	"fmt"
	"math/rand/v2"
)

// newPINs makes n codes, half of 4 digits and half of 6: a fifth begins with
// zero, a fifth holds the same digit twice in a row. The same seed, the same
// codes.
func newPINs(n int, rng *rand.Rand) []string {
	pins := make([]string, n)
	for i := range pins {
		// In pairs, so that both lengths get as many of each kind.
		length, kind := 4+2*(i%2), (i/2)%5
		b := make([]byte, length)
		for k := range b {
			b[k] = byte('0' + rng.IntN(10))
		}
		switch kind {
		case 0:
			b[0] = '0'
		case 1:
			at := rng.IntN(length - 1)
			b[at+1] = b[at]
		}
		pins[i] = string(b)
	}
	return pins
}

// seed of a row of the table: the same codes and the same bad luck on the line
// for every form.
func seed(condition string, pin int) *rand.Rand {
	h := uint64(14695981039346656037)
	for _, c := range []byte(fmt.Sprintf("%s %d", condition, pin)) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return rand.New(rand.NewPCG(h, 20))
}
