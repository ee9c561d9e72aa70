package sphinx

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"
)

// What a listener is adapted to holds no digit.
func TestNoDigitInTheCorpus(t *testing.T) {
	t.Parallel()
	for _, l := range append(content(texts), content(prompts)...) {
		if digitWords.MatchString(l) {
			t.Errorf("a digit in %q", l)
		}
	}
	if n := len(content(texts)); n < 100 {
		t.Errorf("only %d texts", n)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	got, err := parse("your code is number zero(2) number five number four (r000001 -2311)\n (r000000 -1)\n", 2)
	if want := []string{"", "054"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("parsed %q, %v; want %q", got, err, want)
	}
	for _, bad := range []string{"", "five (r000007 -1)\n", "five\n"} {
		if _, err := parse(bad, 1); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestMixtureWeights(t *testing.T) {
	t.Parallel()
	packed := []byte("\x02\x00\x00\x00a\x00\x00\x00\x00\x00")
	packed = binary.LittleEndian.AppendUint32(packed, 2) // codewords
	packed = binary.LittleEndian.AppendUint32(packed, 1) // mixtures
	packed = append(packed, 0, 10, 20, 30, 40, 50)
	out, err := mixtureWeights(packed)
	if err != nil {
		t.Fatal(err)
	}
	last := math.Float32frombits(binary.LittleEndian.Uint32(out[len(out)-4:]))
	if want := math.Pow(1.0001, -50*1024); math.Abs(float64(last)-want) > 1e-6 {
		t.Errorf("the last weight is %v, want %v", last, want)
	}
	if _, err := mixtureWeights(packed[:len(packed)-1]); err == nil {
		t.Error("a cut file was taken")
	}
}
