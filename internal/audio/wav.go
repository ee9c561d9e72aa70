package audio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// What a WAV file may hold.
const (
	MaxWAVBytes = 60 << 20         // of a file
	MaxDuration = 10 * time.Minute // of its sound
	MinRate     = 4000             // samples a second
	MaxRate     = 96000            // samples a second

	maxChannels = 8
)

// Sound is mono sound at any rate, as files and engines give it. What goes to a
// line is first brought to Rate: s.Resample(Rate).
type Sound struct {
	Rate    int // samples a second, MinRate to MaxRate
	Samples []int16
}

// Duration is how long the sound plays; 0 for the zero Sound.
func (s Sound) Duration() time.Duration {
	if s.Rate == 0 {
		return 0
	}
	return time.Duration(len(s.Samples)) * time.Second / time.Duration(s.Rate)
}

// Format tags of the fmt chunk (RFC 2361 and Microsoft's mmreg.h).
const (
	tagPCM        = 1
	tagFloat      = 3
	tagALaw       = 6
	tagMuLaw      = 7
	tagExtensible = 0xfffe // the true tag begins the SubFormat GUID
)

// wavFormat is what the fmt chunk says.
type wavFormat struct {
	tag      uint16
	channels int
	rate     int
	bits     int // of one sample as stored
}

// DecodeWAV reads a RIFF WAVE file: PCM of 8, 16, 24 or 32 bits, 32-bit float,
// mu-law or A-law, up to 8 channels mixed into one. An error is one line that
// says what to do. Sizes in the header are believed only as far as there are
// bytes: programs that write to a pipe put 0x7fffffff or 0xffffffff there.
func DecodeWAV(b []byte) (Sound, error) {
	s, err := decodeWAV(b)
	if err != nil {
		return Sound{}, fmt.Errorf("audio: decode WAV: %w", err)
	}
	return s, nil
}

func decodeWAV(b []byte) (Sound, error) {
	if len(b) > MaxWAVBytes {
		return Sound{}, fmt.Errorf("the file has more than %d MB: cut it or lower its rate", MaxWAVBytes>>20)
	}
	format, data, err := wavChunks(b)
	if err != nil {
		return Sound{}, err
	}
	sample, err := format.decoder()
	if err != nil {
		return Sound{}, err
	}
	width := format.bits / 8
	frames := len(data) / (width * format.channels)
	switch {
	case frames == 0:
		return Sound{}, errors.New("the file holds no sound: record it again")
	case frames > int(MaxDuration/time.Second)*format.rate:
		return Sound{}, fmt.Errorf("the sound is longer than %v: cut it", MaxDuration)
	}
	s := Sound{Rate: format.rate, Samples: make([]int16, frames)}
	for i := range s.Samples {
		sum := 0
		for range format.channels {
			sum += int(sample(data))
			data = data[width:]
		}
		s.Samples[i] = saturate((sum/format.channels + 1<<15) >> 16)
	}
	return s, nil
}

// wavChunks finds the format and the samples. Other chunks are passed over.
func wavChunks(b []byte) (format wavFormat, data []byte, err error) {
	if len(b) < 12 || string(b[:4]) != "RIFF" || string(b[8:12]) != "WAVE" {
		return format, nil, errors.New("this is no WAV file: convert it, for example with sox IN -r 8000 -c 1 -b 16 OUT.wav")
	}
	known := false
	for b = b[12:]; len(b) >= 8; {
		id, size := string(b[:4]), uint64(binary.LittleEndian.Uint32(b[4:]))
		b = b[8:]
		body := b[:min(size, uint64(len(b)))]
		switch id {
		case "fmt ":
			if format, err = parseFormat(body); err != nil {
				return format, nil, err
			}
			known = true
		case "data":
			if !known {
				return format, nil, errors.New("the samples stand before their format: write the file again")
			}
			return format, body, nil
		}
		// A chunk of odd size is followed by a byte of padding.
		b = b[min(size+size&1, uint64(len(b))):]
	}
	return format, nil, errors.New("the file ends before its samples: copy it again")
}

func parseFormat(b []byte) (wavFormat, error) {
	if len(b) < 16 {
		return wavFormat{}, errors.New("its format is cut off: copy it again")
	}
	f := wavFormat{
		tag:      binary.LittleEndian.Uint16(b),
		channels: int(binary.LittleEndian.Uint16(b[2:])),
		rate:     int(binary.LittleEndian.Uint32(b[4:])),
		bits:     int(binary.LittleEndian.Uint16(b[14:])),
	}
	if f.tag == tagExtensible {
		if len(b) < 26 {
			return f, errors.New("its extended format is cut off: copy it again")
		}
		f.tag = binary.LittleEndian.Uint16(b[24:])
	}
	if f.channels < 1 || f.channels > maxChannels {
		return f, fmt.Errorf("it has %d channels: make it mono", f.channels)
	}
	if f.rate < MinRate || f.rate > MaxRate {
		return f, fmt.Errorf("its rate of %d Hz is not between %d and %d: convert it to %d Hz", f.rate, MinRate, MaxRate, Rate)
	}
	return f, nil
}

// decoder gives the function that reads the sample at the start of its bytes and
// scales it to 32 bits.
func (f wavFormat) decoder() (func([]byte) int32, error) {
	switch [2]int{int(f.tag), f.bits} {
	case [2]int{tagPCM, 8}: // the only unsigned one
		return func(b []byte) int32 { return (int32(b[0]) - 128) << 24 }, nil
	case [2]int{tagPCM, 16}:
		return func(b []byte) int32 { return int32(binary.LittleEndian.Uint16(b)) << 16 }, nil
	case [2]int{tagPCM, 24}:
		return func(b []byte) int32 { return int32(b[0])<<8 | int32(b[1])<<16 | int32(b[2])<<24 }, nil
	case [2]int{tagPCM, 32}:
		return func(b []byte) int32 { return int32(binary.LittleEndian.Uint32(b)) }, nil
	case [2]int{tagFloat, 32}:
		return decodeFloat, nil
	case [2]int{tagALaw, 8}:
		return func(b []byte) int32 { return int32(fromALaw(b[0])) << 16 }, nil
	case [2]int{tagMuLaw, 8}:
		return func(b []byte) int32 { return int32(fromULaw(b[0])) << 16 }, nil
	}
	return nil, fmt.Errorf("its samples (format %d, %d bits) are of no kind known here: convert it to 16-bit PCM", f.tag, f.bits)
}

// decodeFloat takes a sample between -1 and 1; what is no number is silence.
func decodeFloat(b []byte) int32 {
	x := float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	if math.IsNaN(x) {
		return 0
	}
	return int32(max(-1<<31, min(x*(1<<31), 1<<31-1)))
}

// WAV is the sound as a file of 16-bit PCM.
func (s Sound) WAV() []byte {
	b := wavHeader(tagPCM, s.Rate, 2*len(s.Samples))
	for _, x := range s.Samples {
		b = binary.LittleEndian.AppendUint16(b, uint16(x))
	}
	return b
}

// G711WAV is the sound as a file of mu-law or A-law: half the size of WAV, and
// at 8 kHz what the line carries.
func (s Sound) G711WAV(codec Codec) []byte {
	tag := uint16(tagMuLaw)
	if codec == PCMA {
		tag = tagALaw
	}
	b := wavHeader(tag, s.Rate, len(s.Samples))
	start := len(b)
	// One byte more than there are samples: the padding of an odd chunk.
	b = append(b, make([]byte, (len(s.Samples)+1)&^1)...)
	codec.Encode(b[start:], s.Samples)
	return b
}

// wavHeader is everything before the samples, with room for them behind it. What
// is not PCM has an (empty) extension and a fact chunk.
func wavHeader(tag uint16, rate, size int) []byte {
	width, formatSize, factSize := 2, 16, 0
	if tag != tagPCM {
		width, formatSize, factSize = 1, 18, 12
	}
	le := binary.LittleEndian
	b := make([]byte, 0, 64+size)
	b = append(b, "RIFF"...)
	b = le.AppendUint32(b, uint32(4+8+formatSize+factSize+8+(size+1)&^1))
	b = append(b, "WAVEfmt "...)
	b = le.AppendUint32(b, uint32(formatSize))
	b = le.AppendUint16(b, tag)
	b = le.AppendUint16(b, 1)
	b = le.AppendUint32(b, uint32(rate))
	b = le.AppendUint32(b, uint32(rate*width))
	b = le.AppendUint16(b, uint16(width))
	b = le.AppendUint16(b, uint16(8*width))
	if tag != tagPCM {
		b = le.AppendUint16(b, 0)
		b = append(b, "fact"...)
		b = le.AppendUint32(b, 4)
		b = le.AppendUint32(b, uint32(size/width))
	}
	b = append(b, "data"...)
	return le.AppendUint32(b, uint32(size))
}

func saturate(x int) int16 { return int16(max(math.MinInt16, min(x, math.MaxInt16))) }
