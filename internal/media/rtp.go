package media

import "encoding/binary"

const (
	rtpHeader = 12 // bytes without CSRCs and extension
	tagRoom   = 16 // of the longest SRTP tag
)

// header is the fixed part of an RTP header (RFC 3550 section 5.1).
type header struct {
	mark    bool
	payload uint8 // type, 7 bits
	seq     uint16
	ts      uint32 // samples
	ssrc    uint32
}

// put writes the header into dst, 12 bytes or more.
func (h header) put(dst []byte) {
	dst[0], dst[1] = 2<<6, h.payload
	if h.mark {
		dst[1] |= 0x80
	}
	binary.BigEndian.PutUint16(dst[2:], h.seq)
	binary.BigEndian.PutUint32(dst[4:], h.ts)
	binary.BigEndian.PutUint32(dst[8:], h.ssrc)
}

// parseRTP reads a packet of RTP version 2: its header and its payload, without
// CSRCs, extension and padding. It allocates nothing.
func parseRTP(data []byte) (h header, payload []byte, ok bool) {
	if len(data) < rtpHeader || data[0]>>6 != 2 {
		return header{}, nil, false
	}
	h = header{
		mark:    data[1]&0x80 != 0,
		payload: data[1] & 0x7f,
		seq:     binary.BigEndian.Uint16(data[2:]),
		ts:      binary.BigEndian.Uint32(data[4:]),
		ssrc:    binary.BigEndian.Uint32(data[8:]),
	}
	start, end := rtpHeader+4*int(data[0]&0x0f), len(data)
	if data[0]&0x10 != 0 { // extension: 2 bytes of profile, 2 of length in words
		if start+4 > end {
			return header{}, nil, false
		}
		start += 4 + 4*int(binary.BigEndian.Uint16(data[start+2:]))
	}
	if data[0]&0x20 != 0 { // padding: its last byte counts itself
		pad := int(data[end-1])
		if pad == 0 {
			return header{}, nil, false
		}
		end -= pad
	}
	if start > end {
		return header{}, nil, false
	}
	return h, data[start:end], true
}
