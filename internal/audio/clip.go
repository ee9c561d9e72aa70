package audio

import (
	"sync"
	"time"
)

// A telephone line's time and samples.
const (
	Rate          = 8000                  // samples a second on a telephone line
	FrameDuration = 20 * time.Millisecond // of one packet
	FrameSamples  = 160                   // of one packet; one byte each in G.711
)

// Clip is sound as it goes to a line: G.711 in frames of 160 bytes, made once and
// shared by every call that plays it. It never changes, and is safe for
// concurrent use.
type Clip struct {
	pcm    []int16
	once   [2]sync.Once
	frames [2][][]byte
}

// NewClip cuts 8 kHz samples into frames; the last is filled up with silence. The
// samples are kept: they must not change any more.
func NewClip(pcm []int16) *Clip { return &Clip{pcm: pcm} }

// Frames are the clip's frames in a codec. They are shared: nobody writes to them.
func (c *Clip) Frames(codec Codec) [][]byte {
	i := int(codec) & 1
	c.once[i].Do(func() {
		n := (len(c.pcm) + FrameSamples - 1) / FrameSamples
		all := make([]byte, n*FrameSamples)
		codec.Encode(all, c.pcm)
		silence := codec.Silence()
		for j := len(c.pcm); j < len(all); j++ {
			all[j] = silence
		}
		c.frames[i] = make([][]byte, n)
		for j := range c.frames[i] {
			c.frames[i][j] = all[j*FrameSamples : (j+1)*FrameSamples : (j+1)*FrameSamples]
		}
	})
	return c.frames[i]
}

// Samples are the clip's 8 kHz samples. They are shared: nobody writes to them.
func (c *Clip) Samples() []int16 { return c.pcm }

// Duration is how long the clip plays, in whole frames.
func (c *Clip) Duration() time.Duration {
	return time.Duration((len(c.pcm)+FrameSamples-1)/FrameSamples) * FrameDuration
}
