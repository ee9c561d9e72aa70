package media

import (
	"errors"
	"net/netip"
	"time"

	"github.com/pincall/pincall/internal/audio"
)

// What a stream's methods fail with, beside the error of their context.
var (
	ErrBusy   = errors.New("media: no room for another call: slots run late or all ports are taken")
	ErrClosed = errors.New("media: the stream is closed")
)

// SRTP protection profiles (RFC 4568 crypto-suite names).
const (
	SuiteSHA1_80 = "AES_CM_128_HMAC_SHA1_80"
	SuiteSHA1_32 = "AES_CM_128_HMAC_SHA1_32"
)

// Crypto is one direction's SRTP key by SDES: 16 bytes of key, 14 of salt.
// It masks itself.
type Crypto struct {
	Suite string
	Key   [30]byte
}

// Remote is what the answer says of the other end.
type Remote struct {
	RTP   netip.AddrPort
	RTCP  netip.AddrPort // zero: RTP's port plus one
	Codec audio.Codec
	// Events is the payload type for telephone-event (RFC 4733) that we send;
	// 0: not negotiated, keys are heard in band. EventsIn is the one that we
	// offered and accept.
	Events, EventsIn uint8
	Send, Receive    *Crypto // SRTP; nil: plain RTP
	Hold             bool    // the other end wants no sound: nothing is sent, what plays waits
	Latch            bool    // take the source that sends, though its address is not the SDP's
}

// Stats is what RTP and RTCP told of a stream so far.
type Stats struct {
	Sent, Received    uint64 // RTP packets
	Lost              int64  // of those that the other end sent (RFC 3550)
	RemoteLost        int64  // of ours, by its receiver reports; -1: no report came
	Jitter, RemoteJit time.Duration
	RoundTrip         time.Duration // zero: not known
	Late              uint64        // frames that we sent over 5 ms late
	Foreign           uint64        // packets from other sources, dropped
	FirstPacket       time.Time     // the first packet received; zero: none
}
