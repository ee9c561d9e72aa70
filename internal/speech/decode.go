package speech

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/mewkiz/flac"
	"github.com/mewkiz/flac/frame"

	"github.com/pincall/pincall/internal/audio"
)

// Rates of what is kept, in samples a second.
const (
	lineRate = audio.Rate
	wideRate = 16000
)

// longestSound bounds one recording, and what an engine says at once.
const longestSound = 4 * time.Minute

var errTooLong = fmt.Errorf("lasts longer than %v", longestSound)

// decode reads a recording by its file's ending.
func decode(file string, b []byte) (audio.Sound, error) {
	switch path.Ext(file) {
	case endingFLAC:
		return decodeFLAC(b)
	case endingWAV:
		return decodeWAV(b)
	case endingSLN:
		return decodeSLN(b, lineRate)
	case endingSLN16:
		return decodeSLN(b, wideRate)
	case endingULaw:
		return decodeG711(b, audio.PCMU), nil
	case endingALaw:
		return decodeG711(b, audio.PCMA), nil
	}
	return audio.Sound{}, errors.New("want .wav or .flac")
}

func decodeSLN(b []byte, rate int) (audio.Sound, error) {
	s := audio.Sound{Rate: rate, Samples: make([]int16, len(b)/2)}
	_, err := binary.Decode(b[:len(b)&^1], binary.LittleEndian, s.Samples)
	return s, err
}

func decodeG711(b []byte, c audio.Codec) audio.Sound {
	s := audio.Sound{Rate: lineRate, Samples: make([]int16, len(b))}
	c.Decode(s.Samples, b)
	return s
}

func decodeWAV(b []byte) (audio.Sound, error) {
	s, err := audio.DecodeWAV(b)
	if err == nil && len(s.Samples) > samplesIn(longestSound, s.Rate) {
		return audio.Sound{}, errTooLong
	}
	return s, err
}

// The FLAC that is read.
const wantBits = 16

// decodeFLAC reads a FLAC file of 16 bits; channels are mixed to one.
func decodeFLAC(b []byte) (audio.Sound, error) {
	stream, err := flac.New(bytes.NewReader(b))
	if err != nil {
		return audio.Sound{}, fmt.Errorf("read flac: %w", err)
	}
	rate := int(stream.Info.SampleRate)
	if rate < audio.MinRate || rate > audio.MaxRate {
		return audio.Sound{}, fmt.Errorf("read flac: want %d to %d samples a second", audio.MinRate, audio.MaxRate)
	}
	if stream.Info.BitsPerSample != wantBits {
		return audio.Sound{}, fmt.Errorf("read flac: want %d bits a sample", wantBits)
	}
	s := audio.Sound{Rate: rate}
	for {
		f, err := stream.ParseNext()
		if errors.Is(err, io.EOF) {
			return s, nil
		}
		if err != nil {
			return audio.Sound{}, fmt.Errorf("read flac: %w", err)
		}
		if s.Samples, err = mixed(s.Samples, f); err != nil {
			return audio.Sound{}, fmt.Errorf("read flac: %w", err)
		}
		if len(s.Samples) > samplesIn(longestSound, rate) {
			return audio.Sound{}, errTooLong
		}
	}
}

// mixed appends a frame's samples, its channels averaged.
func mixed(to []int16, f *frame.Frame) ([]int16, error) {
	if len(f.Subframes) == 0 {
		return nil, errors.New("a frame without a channel")
	}
	for i := range f.Subframes[0].Samples {
		sum := 0
		for _, channel := range f.Subframes {
			if i >= len(channel.Samples) {
				return nil, errors.New("channels of unequal length")
			}
			sum += int(channel.Samples[i])
		}
		to = append(to, int16(min(max(sum/len(f.Subframes), -1<<15), 1<<15-1)))
	}
	return to, nil
}
