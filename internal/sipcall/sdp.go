package sipcall

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/media"
	"github.com/pion/sdp/v3"
)

// What an SDP of the other end can lack.
var (
	errNoAudio  = errors.New("sipcall: sdp: no audio that we can take")
	errNoCodec  = errors.New("sipcall: sdp: no codec in common")
	errNoCrypto = errors.New("sipcall: sdp: encryption is required and was not agreed on")
	errForeign  = errors.New("sipcall: sdp: sound may not be sent to that address")
)

// session is our half of a call's media (RFC 3264): what we offer, and the
// version that rises when it changes.
type session struct {
	cfg     *Config
	local   netip.AddrPort // of RTP, as the other end sees it; RTCP is the next port
	id      uint64
	version uint64
	last    string          // what was last said, to know a change
	keys    [2]media.Crypto // ours, one for each suite
	agreed  *media.Remote   // nil: nothing yet
	way     string          // direction that we state
}

// suites are the SRTP suites that we take, the best first.
var suites = [...]string{media.SuiteSHA1_80, media.SuiteSHA1_32}

// newSession draws the session's id and both suites' keys. They stay the same for
// the call's life: a key that changed with each answer would cut the sound.
func newSession(cfg *Config, local netip.AddrPort) *session {
	s := &session{cfg: cfg, local: local, way: "sendrecv"}
	var b [8]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails
	for i := range b[:6] {
		s.id = s.id<<8 | uint64(b[i])
	}
	s.version = s.id
	for i := range s.keys {
		s.keys[i].Suite = suites[i]
		_, _ = rand.Read(s.keys[i].Key[:])
	}
	return s
}

// offer is our offer, or the one that was made before if nothing changed.
func (s *session) offer() []byte {
	codecs := s.cfg.Codecs
	proto, crypto := "RTP/AVP", []string(nil)
	if s.cfg.SRTP == SRTPRequired {
		proto = "RTP/SAVP"
	}
	if s.cfg.SRTP != SRTPOff {
		for i, k := range s.keys {
			crypto = append(crypto, cryptoLine(i+1, k))
		}
	}
	s.way = "sendrecv"
	return s.write([]*sdp.MediaDescription{s.audio(proto, codecs, s.cfg.EventPT, crypto)})
}

// audio is our m= section.
func (s *session) audio(proto string, codecs []audio.Codec, events uint8, crypto []string) *sdp.MediaDescription {
	m := &sdp.MediaDescription{MediaName: sdp.MediaName{
		Media: "audio", Port: sdp.RangedPort{Value: int(s.local.Port())}, Protos: strings.Split(proto, "/"),
	}}
	for _, c := range codecs {
		pt := strconv.Itoa(int(c.PayloadType()))
		m.MediaName.Formats = append(m.MediaName.Formats, pt)
		m.WithValueAttribute("rtpmap", pt+" "+c.String()+"/8000")
	}
	if events != 0 {
		pt := strconv.Itoa(int(events))
		m.MediaName.Formats = append(m.MediaName.Formats, pt)
		m.WithValueAttribute("rtpmap", pt+" telephone-event/8000").WithValueAttribute("fmtp", pt+" 0-15")
	}
	m.WithValueAttribute("ptime", "20")
	m.WithValueAttribute("rtcp", strconv.Itoa(int(s.local.Port())+1))
	for _, line := range crypto {
		m.WithValueAttribute("crypto", line)
	}
	return m.WithPropertyAttribute(s.way)
}

// write makes the whole description and raises the version if it is a new one.
func (s *session) write(all []*sdp.MediaDescription) []byte {
	kind := "IP4"
	if s.local.Addr().Is6() {
		kind = "IP6"
	}
	d := sdp.SessionDescription{
		Origin: sdp.Origin{
			Username: "-", SessionID: s.id, SessionVersion: s.version,
			NetworkType: "IN", AddressType: kind, UnicastAddress: s.local.Addr().String(),
		},
		SessionName:           "-",
		ConnectionInformation: &sdp.ConnectionInformation{NetworkType: "IN", AddressType: kind, Address: &sdp.Address{Address: s.local.Addr().String()}},
		TimeDescriptions:      []sdp.TimeDescription{{}},
		MediaDescriptions:     all,
	}
	said := ""
	for _, m := range all {
		said += m.MediaName.String() + fmt.Sprint(m.Attributes)
	}
	if s.last != "" && said != s.last {
		s.version++
		d.Origin.SessionVersion = s.version
	}
	s.last = said
	raw, err := d.Marshal()
	if err != nil {
		panic("sipcall: our own SDP cannot be written: " + err.Error()) // a programmer's mistake: no foreign bytes are in it
	}
	return raw
}

// accept reads the answer to our offer.
func (s *session) accept(answer []byte) (media.Remote, error) {
	lines, err := readSDP(answer)
	if err != nil {
		return media.Remote{}, err
	}
	err = errNoAudio
	for _, l := range lines {
		if !l.usable() {
			continue
		}
		var r media.Remote
		if r, _, err = s.choose(l); err == nil {
			return s.agree(r)
		}
	}
	return media.Remote{}, err
}

// answer reads an offer and writes our answer, in which every other medium is
// refused.
func (s *session) answer(offer []byte) ([]byte, media.Remote, error) {
	lines, err := readSDP(offer)
	if err != nil {
		return nil, media.Remote{}, err
	}
	var remote media.Remote
	err = errNoAudio
	taken := -1
	var all []*sdp.MediaDescription
	for i, l := range lines {
		all = append(all, &sdp.MediaDescription{MediaName: sdp.MediaName{Media: l.kind, Protos: strings.Split(l.proto, "/"), Formats: l.formats}})
		if taken >= 0 || !l.usable() {
			continue
		}
		r, key, cerr := s.choose(l)
		if cerr != nil {
			err = cerr
			continue
		}
		taken, remote = i, r
		s.way = opposite(l.way)
		var crypto []string
		if key.line != "" {
			crypto = []string{key.line}
		}
		all[i] = s.audio(l.proto, []audio.Codec{r.Codec}, r.Events, crypto)
	}
	if taken < 0 {
		return nil, media.Remote{}, err
	}
	if remote.Events != 0 {
		remote.EventsIn = remote.Events // we answered with their number
	}
	if remote, err = s.agree(remote); err != nil {
		return nil, media.Remote{}, err
	}
	return s.write(all), remote, nil
}

// agree checks where the sound would go.
func (s *session) agree(r media.Remote) (media.Remote, error) {
	in := func(p netip.Prefix) bool { return p.Contains(r.RTP.Addr()) }
	if len(s.cfg.MediaPeers) > 0 && !r.RTP.Addr().IsUnspecified() && !slices.ContainsFunc(s.cfg.MediaPeers, in) {
		return r, errForeign
	}
	if r.RTP.Addr().IsUnspecified() || !r.RTP.Addr().IsValid() {
		r.Hold = true
		if s.agreed != nil { // RFC 3264 8.4's old way to hold: keep where we were
			r.RTP, r.RTCP = s.agreed.RTP, s.agreed.RTCP
		}
	}
	s.agreed = &r
	return r, nil
}

// choose makes a remote of one audio section, and our own key for it.
func (s *session) choose(l mediaLine) (r media.Remote, own ownKey, err error) {
	r = media.Remote{RTP: l.rtp, RTCP: l.rtcp, Latch: s.cfg.Latch, EventsIn: s.cfg.EventPT}
	r.Hold = l.way == "sendonly" || l.way == "inactive"
	found := false
	for _, c := range l.codecs {
		if slices.Contains(s.cfg.Codecs, c) {
			r.Codec, found = c, true
			break
		}
	}
	if !found {
		return r, own, errNoCodec
	}
	r.Events = l.events
	secure := strings.Contains(l.proto, "SAVP")
	if s.cfg.SRTP != SRTPOff {
		for _, k := range l.crypto {
			i := slices.Index(suites[:], k.suite)
			if i < 0 {
				continue
			}
			r.Send, r.Receive = &s.keys[i], &media.Crypto{Suite: k.suite, Key: k.key}
			return r, ownKey{cryptoLine(k.tag, s.keys[i])}, nil
		}
	}
	if secure || s.cfg.SRTP == SRTPRequired {
		return r, own, errNoCrypto
	}
	return r, own, nil
}

// ownKey is our a=crypto line that answers one of theirs; empty: none.
type ownKey struct{ line string }

// cryptoLine is an a=crypto value (RFC 4568 9.1): one key, no lifetime, no MKI.
func cryptoLine(tag int, k media.Crypto) string {
	return strconv.Itoa(tag) + " " + k.Suite + " inline:" + base64.StdEncoding.EncodeToString(k.Key[:])
}

// opposite is the direction that answers theirs (RFC 3264 6.1).
func opposite(way string) string {
	switch way {
	case "sendonly":
		return "recvonly"
	case "recvonly":
		return "sendonly"
	case "inactive":
		return "inactive"
	}
	return "sendrecv"
}
