package audio

import "math/bits"

// Codec is a form of G.711 (ITU-T G.711): one byte a sample at 8 kHz.
type Codec uint8

// The codecs.
const (
	PCMU Codec = iota // mu-law, static RTP payload type 0
	PCMA              // A-law, static RTP payload type 8
)

// PayloadType is the codec's static RTP payload type (RFC 3551).
func (c Codec) PayloadType() uint8 { return uint8(c) * 8 }

// String is the codec's name in SDP.
func (c Codec) String() string {
	if c == PCMA {
		return "PCMA"
	}
	return "PCMU"
}

// Silence is the byte of a sample without sound.
func (c Codec) Silence() byte {
	if c == PCMA {
		return 0xd5
	}
	return 0xff
}

// Encode writes src into dst, which must be at least as long.
func (c Codec) Encode(dst []byte, src []int16) {
	encode := toULaw
	if c == PCMA {
		encode = toALaw
	}
	for i, s := range src {
		dst[i] = encode(s)
	}
}

// Decode writes src into dst, which must be at least as long.
func (c Codec) Decode(dst []int16, src []byte) {
	decode := fromULaw
	if c == PCMA {
		decode = fromALaw
	}
	for i, b := range src {
		dst[i] = decode(b)
	}
}

const ulawBias = 33 // in 14-bit samples

// toULaw and toALaw take a negative sample as its ones' complement, as the
// reference code of ITU-T G.191 does: a sample on a decision value of the standard
// goes to the smaller magnitude when it is negative, to the larger otherwise.
func toULaw(s int16) byte {
	x, sign := int(s), byte(0xff)
	if x < 0 {
		x, sign = ^x, 0x7f
	}
	x >>= 2
	x = min(x, 8158) + ulawBias
	segment := bits.Len(uint(x)) - 6
	return (byte(segment)<<4 | byte(x>>(segment+1))&0x0f) ^ sign
}

func fromULaw(b byte) int16 {
	b = ^b
	x := (int16(b&0x0f)<<3 + ulawBias<<2) << (b >> 4 & 7)
	if x -= ulawBias << 2; b&0x80 != 0 {
		return -x
	}
	return x
}

func toALaw(s int16) byte {
	x, mask := int(s)>>3, byte(0xd5)
	if x < 0 {
		x, mask = ^x, 0x55
	}
	segment := max(bits.Len(uint(x))-5, 0)
	low := byte(x>>max(segment, 1)) & 0x0f
	return (byte(segment)<<4 | low) ^ mask
}

func fromALaw(b byte) int16 {
	b ^= 0x55
	x := int16(b&0x0f)<<4 + 8
	if segment := b >> 4 & 7; segment > 0 {
		x = (x + 0x100) << (segment - 1)
	}
	if b&0x80 == 0 {
		return -x
	}
	return x
}
