package audio

import (
	"bytes"
	"encoding/binary"
	"os/exec"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Tables 1a and 2a of ITU-T G.711 (positive values; negative ones mirror them) at
// the ends of the segments and a few places between: decision value x(n), the
// magnitude bits sent for what lies from it to the next, and the value y(n) a
// receiver gives for them. mu-law is in 14-bit samples, A-law in 13-bit ones
// (Table 1a counts in 12 bits: its 1 is 2 here).
var (
	mulawTable = []standardRow{
		{0, 0xff, 0}, {1, 0xfe, 2}, {3, 0xfd, 4}, {29, 0xf0, 30}, {31, 0xef, 33}, {35, 0xee, 37}, {91, 0xe0, 93},
		{95, 0xdf, 99}, {103, 0xde, 107}, {215, 0xd0, 219}, {223, 0xcf, 231}, {463, 0xc0, 471}, {479, 0xbf, 495},
		{959, 0xb0, 975}, {991, 0xaf, 1023}, {1951, 0xa0, 1983}, {2015, 0x9f, 2079}, {3935, 0x90, 3999},
		{4063, 0x8f, 4191}, {4319, 0x8e, 4447}, {7903, 0x80, 8031}, {8159, 0x80, 8031},
	}
	alawTable = []standardRow{
		{0, 0xd5, 1}, {2, 0xd4, 3}, {30, 0xda, 31}, {32, 0xc5, 33}, {62, 0xca, 63}, {64, 0xf5, 66}, {124, 0xfa, 126},
		{128, 0xe5, 132}, {248, 0xea, 252}, {256, 0x95, 264}, {496, 0x9a, 504}, {512, 0x85, 528}, {992, 0x8a, 1008},
		{1024, 0xb5, 1056}, {1984, 0xba, 2016}, {2048, 0xa5, 2112}, {3968, 0xaa, 4032},
	}
)

type standardRow struct {
	decision int
	code     byte
	value    int
}

func TestG711Standard(t *testing.T) {
	t.Parallel()
	for _, law := range []struct {
		codec Codec
		scale int // from the table's samples to 16 bits
		table []standardRow
	}{{PCMU, 4, mulawTable}, {PCMA, 8, alawTable}} {
		for _, row := range law.table {
			var code [4]byte
			top := min(row.decision*law.scale, 32767)
			// The decision value itself goes up when positive and down when negative; the
			// negative of the next sample is in the interval.
			law.codec.Encode(code[:], []int16{int16(top), int16(-top - 1)})
			if code[0] != row.code || code[1] != row.code^0x80 {
				t.Errorf("%v: ±%d is %#x and %#x, want %#x and %#x", law.codec, row.decision, code[0], code[1], row.code, row.code^0x80)
			}
			var value [2]int16
			law.codec.Decode(value[:], []byte{row.code, row.code ^ 0x80})
			want := [2]int16{int16(row.value * law.scale), int16(-row.value * law.scale)}
			if value != want {
				t.Errorf("%v: %#x is %v, want %v", law.codec, row.code, value, want)
			}
		}
	}
}

// Every sample against the decision values of the whole standard, searched one by
// one. On a decision value a negative sample goes to the smaller magnitude (see
// toULaw).
func TestG711EverySample(t *testing.T) {
	t.Parallel()
	for codec, starts := range map[Codec][]int{PCMU: mulawDecisions(), PCMA: alawDecisions()} {
		flip := codec.Silence()
		for s := -32768; s <= 32767; s++ {
			n := 0
			for i, start := range starts {
				if s >= start || -s > start {
					n = i
				}
			}
			want := byte(n) ^ flip
			if s < 0 {
				want ^= 0x80
			}
			var code [1]byte
			if codec.Encode(code[:], []int16{int16(s)}); code[0] != want {
				t.Fatalf("%v: %d is %#x, want %#x", codec, s, code[0], want)
			}
		}
	}
}

// mulawDecisions are the 128 decision values x(n) of table 2a in 16-bit samples.
func mulawDecisions() (starts []int) {
	for segment := range 8 {
		for m := range 16 {
			starts = append(starts, 4*(33<<segment-33+m*2<<segment-1<<segment))
		}
	}
	return starts
}

// alawDecisions are those of table 1a.
func alawDecisions() (starts []int) {
	for segment := range 8 {
		for m := range 16 {
			if segment == 0 {
				starts = append(starts, 8*2*m)
				continue
			}
			starts = append(starts, 8*((32+2*m)<<(segment-1)))
		}
	}
	return starts
}

// Every code returns to itself, but mu-law's second zero.
func TestG711RoundTrip(t *testing.T) {
	t.Parallel()
	for _, codec := range []Codec{PCMU, PCMA} {
		codes, again, values := make([]byte, 256), make([]byte, 256), make([]int16, 256)
		for i := range codes {
			codes[i] = byte(i)
		}
		codec.Decode(values, codes)
		codec.Encode(again, values)
		if codec == PCMU {
			codes[0x7f] = 0xff
		}
		if diff := cmp.Diff(codes, again); diff != "" {
			t.Errorf("%v: codes changed:\n%s", codec, diff)
		}
	}
}

// sox is a second opinion. It decodes as the standard does. It encodes by
// rounding 16-bit samples to 14 or 13 bits, where G.191 cuts the low bits off, so
// the codes may differ by one step, next to a decision value only.
func TestG711Sox(t *testing.T) {
	t.Parallel()
	needProgram(t, "sox")
	all := make([]int16, 0, 1<<16)
	for s := -32768; s <= 32767; s++ {
		all = append(all, int16(s))
	}
	codes := make([]byte, 256)
	for i := range codes {
		codes[i] = byte(i)
	}
	for codec, name := range map[Codec]string{PCMU: "mu-law", PCMA: "a-law"} {
		g711 := []string{"-t", "raw", "-r", "8000", "-c", "1", "-e", name, "-b", "8", "-"}
		pcm := []string{"-t", "raw", "-r", "8000", "-c", "1", "-e", "signed", "-b", "16", "-L", "-"}

		ours := make([]int16, 256)
		codec.Decode(ours, codes)
		if diff := cmp.Diff(sox(t, codes, g711, pcm), littleEndian(ours)); diff != "" {
			t.Errorf("%v: decoded (-sox +ours):\n%s", codec, diff)
		}

		encoded := make([]byte, len(all))
		codec.Encode(encoded, all)
		theirs := sox(t, littleEndian(all), pcm, g711)
		differ := 0
		for i, code := range theirs {
			if code == encoded[i] || codec == PCMU && code&0x7f == 0x7f && encoded[i]&0x7f == 0x7f {
				continue // the same, or mu-law's other zero
			}
			differ++
			// Within the reach of sox's rounding our code must be sox's.
			near := make([]byte, 2)
			codec.Encode(near, []int16{saturate(int(all[i]) - soxRounds), saturate(int(all[i]) + soxRounds)})
			if code != near[0] && code != near[1] {
				t.Errorf("%v: %d is %#x, by sox %#x", codec, all[i], encoded[i], code)
			}
		}
		t.Logf("%v: %d of %d samples differ from sox, all next to a decision value", codec, differ, len(all))
	}
}

// soxRounds is how far sox may move a 16-bit sample: half a step of A-law.
const soxRounds = 8

func sox(t *testing.T, in []byte, from, to []string) []byte {
	t.Helper()
	// -D: without dither.
	cmd := exec.CommandContext(t.Context(), "sox", append(append([]string{"-D"}, from...), to...)...)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("sox: %v", err)
	}
	return out
}

func littleEndian(samples []int16) []byte {
	var b []byte
	for _, s := range samples {
		b = binary.LittleEndian.AppendUint16(b, uint16(s))
	}
	return b
}

// needProgram skips a test whose program is not installed.
func needProgram(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed", name)
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, codec := range []Codec{PCMU, PCMA} {
		b.Run(codec.String(), func(b *testing.B) {
			src, dst := voice(1, Rate), make([]byte, Rate)
			for b.Loop() {
				codec.Encode(dst, src)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/Rate, "ns/sample")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, codec := range []Codec{PCMU, PCMA} {
		b.Run(codec.String(), func(b *testing.B) {
			src, dst := make([]byte, Rate), make([]int16, Rate)
			codec.Encode(src, voice(1, Rate))
			for b.Loop() {
				codec.Decode(dst, src)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/Rate, "ns/sample")
		})
	}
}
