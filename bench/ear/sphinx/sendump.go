package sphinx

import (
	"encoding/binary"
	"errors"
	"math"
)

// The shape of the model's mixture weights: what its sendump holds.
const (
	features  = 3
	weightLog = 1.0001 // base of the stored logarithms
	weightBit = 10     // which are stored without these low bits
)

// mixtureWeights turns the packed mixture weights of a PTM model (a sendump)
// into the form that the trainer adapts (S3, without a checksum: with one its
// reader stops).
func mixtureWeights(packed []byte) ([]byte, error) {
	u32 := func() (int, bool) {
		if len(packed) < 4 {
			return 0, false
		}
		v := int(binary.LittleEndian.Uint32(packed))
		packed = packed[4:]
		return v, true
	}
	// A list of strings, each behind its length; length 0 ends it.
	for {
		n, ok := u32()
		if !ok || n > len(packed) {
			return nil, errors.New("sendump: no end of its header")
		}
		if n == 0 {
			break
		}
		packed = packed[n:]
	}
	density, _ := u32()
	mixtures, ok := u32()
	if !ok || len(packed) < features*density*mixtures {
		return nil, errors.New("sendump: too short")
	}
	out := []byte("s3\nversion 1.0\nendhdr\n")
	for _, v := range []int{0x11223344, mixtures, features, density, mixtures * features * density} {
		out = binary.LittleEndian.AppendUint32(out, uint32(v))
	}
	for m := range mixtures {
		for f := range features {
			for d := range density {
				b := packed[(f*density+d)*mixtures+m]
				w := math.Pow(weightLog, -float64(int(b)<<weightBit))
				out = binary.LittleEndian.AppendUint32(out, math.Float32bits(float32(w)))
			}
		}
	}
	return out, nil
}
