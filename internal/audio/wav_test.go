package audio

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gowavaudio "github.com/go-audio/audio"
	gowav "github.com/go-audio/wav"
	"github.com/google/go-cmp/cmp"
)

func chunk(id string, body []byte) []byte {
	b := binary.LittleEndian.AppendUint32([]byte(id), uint32(len(body)))
	b = append(b, body...)
	return append(b, make([]byte, len(body)&1)...)
}

func riff(chunks ...[]byte) []byte {
	body := bytes.Join(chunks, nil)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(4+len(body))), append([]byte("WAVE"), body...)...)
}

func format(tag, channels uint16, rate uint32, bits uint16) []byte {
	var b []byte
	align := channels * bits / 8
	for _, v := range []any{tag, channels, rate, rate * uint32(align), align, bits} {
		b, _ = binary.Append(b, binary.LittleEndian, v)
	}
	return chunk("fmt ", b)
}

func extensible(tag, channels uint16, rate uint32, bits uint16) []byte {
	b := format(tagExtensible, channels, rate, bits)[8:]
	b = binary.LittleEndian.AppendUint16(b, 22)
	b = binary.LittleEndian.AppendUint16(b, bits)
	b = binary.LittleEndian.AppendUint32(b, 3)
	b = binary.LittleEndian.AppendUint16(b, tag)
	return chunk("fmt ", append(b, "\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"...))
}

func TestDecodeWAV(t *testing.T) {
	t.Parallel()
	floats := func(xs ...float32) (b []byte) {
		for _, x := range xs {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		}
		return b
	}
	tests := map[string]struct {
		file []byte
		rate int
		want []int16
	}{
		"8 bits":        {riff(format(1, 1, 8000, 8), chunk("data", []byte{0, 128, 255})), 8000, []int16{-32768, 0, 32512}},
		"16 bits":       {riff(format(1, 1, 16000, 16), chunk("data", []byte{0, 0x80, 1, 0, 0xff, 0x7f})), 16000, []int16{-32768, 1, 32767}},
		"24 bits":       {riff(format(1, 1, 44100, 24), chunk("data", []byte{0, 0, 0x80, 0x80, 0, 0, 0xff, 0xff, 0x7f})), 44100, []int16{-32768, 1, 32767}},
		"32 bits":       {riff(format(1, 1, 48000, 32), chunk("data", []byte{0, 0, 0, 0x80, 0, 0, 2, 0})), 48000, []int16{-32768, 2}},
		"float":         {riff(format(3, 1, 24000, 32), chunk("data", floats(0.5, -1, 2, float32(math.NaN()), float32(math.Inf(-1))))), 24000, []int16{16384, -32768, 32767, 0, -32768}},
		"mu-law":        {riff(format(7, 1, 8000, 8), chunk("data", []byte{0xff, 0x80, 0x00})), 8000, []int16{0, 32124, -32124}},
		"A-law":         {riff(format(6, 1, 8000, 8), chunk("data", []byte{0xd5, 0xaa, 0x2a})), 8000, []int16{8, 32256, -32256}},
		"stereo":        {riff(format(1, 2, 8000, 16), chunk("data", []byte{100, 0, 200, 0, 0xff, 0x7f, 0xff, 0x7f})), 8000, []int16{150, 32767}},
		"extensible":    {riff(extensible(1, 2, 48000, 16), chunk("data", []byte{10, 0, 20, 0})), 48000, []int16{15}},
		"other chunks":  {riff(chunk("LIST", []byte("odd")), format(1, 1, 8000, 16), chunk("cue ", []byte{1}), chunk("data", []byte{5, 0})), 8000, []int16{5}},
		"half a sample": {riff(format(1, 1, 8000, 16), chunk("data", []byte{5, 0, 6})), 8000, []int16{5}},
		"from a pipe":   {riff(format(1, 1, 8000, 16), []byte("data\xff\xff\xff\xff\x07\x00\x08\x00")), 8000, []int16{7, 8}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := DecodeWAV(test.file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(Sound{Rate: test.rate, Samples: test.want}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodeWAVRefuses(t *testing.T) {
	t.Parallel()
	sound := chunk("data", []byte{1, 0, 2, 0})
	tests := map[string]struct {
		file []byte
		want string
	}{
		"nothing":          {nil, "no WAV file"},
		"an MP3":           {[]byte("ID3\x04 and so on and on"), "no WAV file: convert it"},
		"no samples":       {riff(format(1, 1, 8000, 16)), "ends before its samples"},
		"no sound":         {riff(format(1, 1, 8000, 16), chunk("data", nil)), "holds no sound"},
		"no format":        {riff(sound), "before their format"},
		"short format":     {riff(chunk("fmt ", []byte{1, 0, 1, 0}), sound), "format is cut off"},
		"short extension":  {riff(format(tagExtensible, 1, 8000, 16), sound), "extended format is cut off"},
		"no channel":       {riff(format(1, 0, 8000, 16), sound), "0 channels: make it mono"},
		"too many":         {riff(format(1, 60000, 8000, 16), sound), "60000 channels"},
		"no rate":          {riff(format(1, 1, 0, 16), sound), "rate of 0 Hz"},
		"huge rate":        {riff(format(1, 1, 1<<31, 16), sound), "convert it to 8000 Hz"},
		"12 bits":          {riff(format(1, 1, 8000, 12), sound), "format 1, 12 bits"},
		"ADPCM":            {riff(format(2, 1, 8000, 4), sound), "convert it to 16-bit PCM"},
		"longer than told": {riff(format(7, 1, 4000, 8), chunk("data", make([]byte, 4000*601))), "longer than 10m0s"},
		"too large":        {make([]byte, MaxWAVBytes+1), "more than 60 MB"},
		"claims too much":  {riff([]byte("LIST\xff\xff\xff\xff"), format(1, 1, 8000, 16), sound), "ends before its samples"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := DecodeWAV(test.file)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with %q", err, test.want)
			}
		})
	}
}

// An independent reader and writer agree with ours.
func TestWAVAgainstLibrary(t *testing.T) {
	t.Parallel()
	sound := Sound{Rate: 22050, Samples: voice(7, 5000)}
	read, err := gowav.NewDecoder(bytes.NewReader(sound.WAV())).FullPCMBuffer()
	if err != nil {
		t.Fatal(err)
	}
	if read.Format.SampleRate != sound.Rate || read.Format.NumChannels != 1 || len(read.Data) != len(sound.Samples) {
		t.Fatalf("read as %+v with %d samples", read.Format, len(read.Data))
	}
	for i, x := range read.Data {
		if x != int(sound.Samples[i]) {
			t.Fatalf("sample %d is %d, want %d", i, x, sound.Samples[i])
		}
	}

	path := filepath.Join(t.TempDir(), "x.wav")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	encoder := gowav.NewEncoder(file, 44100, 24, 2, 1)
	stereo := &gowavaudio.IntBuffer{Format: &gowavaudio.Format{NumChannels: 2, SampleRate: 44100}, Data: []int{256, 768, -512, -512}, SourceBitDepth: 24}
	if err := encoder.Write(stereo); err != nil {
		t.Fatal(err)
	}
	if err := encoder.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeWAV(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Sound{Rate: 44100, Samples: []int16{2, -2}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestWAVRoundTrip(t *testing.T) {
	t.Parallel()
	for n := range 4 {
		sound := Sound{Rate: 8000, Samples: voice(3, 400)[:n+100]}
		got, err := DecodeWAV(sound.WAV())
		if diff := cmp.Diff(sound, got); diff != "" || err != nil {
			t.Errorf("PCM: %v\n%s", err, diff)
		}
		for _, codec := range []Codec{PCMU, PCMA} {
			want := Sound{Rate: 8000, Samples: through(codec, sound.Samples)}
			file := sound.G711WAV(codec)
			got, err := DecodeWAV(file)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%v: %v\n%s", codec, err, diff)
			}
			if size := int(binary.LittleEndian.Uint32(file[4:])); size != len(file)-8 {
				t.Errorf("%v: RIFF size %d of a file of %d bytes", codec, size, len(file))
			}
		}
	}
}

// sox reads what we write, also mu-law and A-law.
func TestWAVSox(t *testing.T) {
	t.Parallel()
	needProgram(t, "sox")
	sound := Sound{Rate: 8000, Samples: voice(4, 801)}
	pcm := []string{"-t", "raw", "-e", "signed", "-b", "16", "-L", "-"}
	for name, test := range map[string]struct {
		file []byte
		want []int16
	}{
		"PCM":  {sound.WAV(), sound.Samples},
		"PCMU": {sound.G711WAV(PCMU), through(PCMU, sound.Samples)},
		"PCMA": {sound.G711WAV(PCMA), through(PCMA, sound.Samples)},
	} {
		if diff := cmp.Diff(littleEndian(test.want), sox(t, test.file, []string{"-t", "wav", "-"}, pcm)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func FuzzDecodeWAV(f *testing.F) {
	sound := Sound{Rate: 8000, Samples: voice(5, 40)}
	f.Add(sound.WAV())
	f.Add(sound.G711WAV(PCMU))
	f.Add(riff(extensible(1, 2, 48000, 24), chunk("data", make([]byte, 30))))
	f.Add(riff(chunk("LIST", []byte("odd")), format(3, 1, 4000, 32), chunk("data", make([]byte, 16))))
	f.Add(riff(format(1, 8, 96000, 32), []byte("data\xff\xff\xff\xff\x07\x00\x08\x00")))
	f.Add([]byte("RIFF\xff\xff\xff\xffWAVEfmt \xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeWAV(b)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("an error of several lines: %q", err)
			}
			return
		}
		if len(s.Samples) == 0 || len(s.Samples) > len(b) || s.Rate < MinRate || s.Rate > MaxRate {
			t.Fatalf("%d samples at %d Hz from %d bytes", len(s.Samples), s.Rate, len(b))
		}
		again, err := DecodeWAV(s.WAV())
		if diff := cmp.Diff(s, again); diff != "" || err != nil {
			t.Errorf("written and read again: %v\n%s", err, diff)
		}
		if len(s.Samples) < 4000 {
			s.Resample(Rate)
		}
	})
}
