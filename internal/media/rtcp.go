package media

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/pincall/pincall/internal/audio"
	"github.com/pion/rtcp"
)

const (
	// reportEvery is RFC 3550's interval; each one lies between half of it and
	// one and a half, so that calls do not report in step.
	reportEvery = 5 * time.Second
	// rtcpHeader is a packet's header with the SSRC of its sender. SRTCP leaves
	// it in clear.
	rtcpHeader = 8
	// longestTrip is the longest plausible round trip.
	longestTrip = 10 * time.Second
)

// reporting is when and where a stream reports.
type reporting struct {
	name string // CNAME
	mu   sync.Mutex
	to   netip.AddrPort
	due  time.Time
}

// senderReport is the latest one of the other end: the middle of its NTP time,
// and when it came.
type senderReport struct {
	ssrc uint32
	ntp  uint32
	at   time.Time
}

func (r *reporting) connect(remote Remote) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if remote.RTCP.IsValid() {
		r.to = remote.RTCP
	}
}

func interval() time.Duration { return reportEvery/2 + rand.N(reportEvery) }

// reportIfDue reports when it is time. It does not wait for a packet that is being
// received: the next frame will do.
func (s *Stream) reportIfDue(now time.Time) {
	r := &s.reports
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.due.IsZero():
		r.due = now.Add(interval() / 2)
	case now.After(r.due) && s.in.mu.TryLock():
		blocks := s.in.blocks(now)
		s.in.mu.Unlock()
		r.due = now.Add(interval())
		s.sendReport(now, blocks, false)
	}
}

// goodbye reports for the last time.
func (s *Stream) goodbye(now time.Time) {
	s.reports.mu.Lock()
	defer s.reports.mu.Unlock()
	s.in.mu.Lock()
	blocks := s.in.blocks(now)
	s.in.mu.Unlock()
	s.sendReport(now, blocks, true)
}

// sendReport sends a compound packet of a sender or receiver report and our name;
// bye adds that we leave. The lock of reports is held.
func (s *Stream) sendReport(now time.Time, blocks []rtcp.ReceptionReport, bye bool) {
	if s.socket.rtcp == nil || !s.reports.to.IsValid() {
		return
	}
	s.out.mu.Lock()
	data := s.out.compose(now, blocks, s.reports.name, bye)
	s.out.mu.Unlock()
	if data != nil {
		s.socket.rtcp.send([]packet{{data, s.reports.to}})
	}
}

// compose builds the packet. The lock is held.
func (o *outgoing) compose(now time.Time, blocks []rtcp.ReceptionReport, name string, bye bool) []byte {
	var first rtcp.Packet = &rtcp.ReceiverReport{SSRC: o.ssrc, Reports: blocks}
	if o.sent > 0 {
		first = &rtcp.SenderReport{
			SSRC: o.ssrc, NTPTime: ntp(now), RTPTime: o.ts, Reports: blocks,
			PacketCount: uint32(o.sent), OctetCount: uint32(o.sent * audio.FrameSamples),
		}
	}
	packets := []rtcp.Packet{first, rtcp.NewCNAMESourceDescription(o.ssrc, name)}
	if bye {
		packets = append(packets, &rtcp.Goodbye{Sources: []uint32{o.ssrc}})
	}
	data, err := rtcp.Marshal(packets)
	if err == nil && o.seal != nil {
		data, err = o.seal.sealRTCP(data)
	}
	if err != nil {
		return nil // of our own making: a report less
	}
	return data
}

// blocks is what we tell of the other end's packets; none before the first. The
// lock is held.
func (in *incoming) blocks(now time.Time) []rtcp.ReceptionReport {
	r := &in.reception
	if !r.started {
		return nil
	}
	b := rtcp.ReceptionReport{
		SSRC:               r.ssrc,
		FractionLost:       r.fraction(),
		TotalLost:          uint32(min(max(int64(r.expected())-int64(r.received), 0), 0x7fffff)), // of this source, 24 bits
		LastSequenceNumber: r.highest - 1<<16,
		Jitter:             uint32(r.jitter),
	}
	if last := in.lastReport; last.ssrc == r.ssrc && !last.at.IsZero() {
		b.LastSenderReport = last.ntp
		b.Delay = uint32(now.Sub(last.at).Seconds() * 65536)
	}
	return []rtcp.ReceptionReport{b}
}

// takeReport reads a compound RTCP packet; false when it is not of the call. ours
// is our SSRC.
func (in *incoming) takeReport(data []byte, ours uint32, at time.Time) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.open != nil {
		var err error
		if data, err = in.open.openRTCP(data); err != nil {
			return false
		}
	}
	packets, err := rtcp.Unmarshal(data)
	if err != nil {
		return false
	}
	for _, p := range packets {
		switch p := p.(type) {
		case *rtcp.SenderReport:
			in.lastReport = senderReport{p.SSRC, uint32(p.NTPTime >> 16), at}
			in.takeBlocks(p.Reports, ours, at)
		case *rtcp.ReceiverReport:
			in.takeBlocks(p.Reports, ours, at)
		}
	}
	return true
}

// takeBlocks keeps what the other end tells of our packets.
func (in *incoming) takeBlocks(blocks []rtcp.ReceptionReport, ours uint32, at time.Time) {
	for _, b := range blocks {
		if b.SSRC != ours {
			continue
		}
		in.remoteLost = int64(int32(b.TotalLost<<8) >> 8) // 24 bits, signed
		in.remoteJitter = time.Duration(b.Jitter) * time.Second / audio.Rate
		if b.LastSenderReport == 0 {
			continue
		}
		trip := uint32(ntp(at)>>16) - b.LastSenderReport - b.Delay
		if d := time.Duration(trip) * time.Second >> 16; d < longestTrip {
			in.roundTrip = d
		}
	}
}

// rtcpSender is the SSRC of who sent an RTCP packet, SRTCP included.
func rtcpSender(data []byte) (ssrc uint32, ok bool) {
	if len(data) < rtcpHeader || data[0]>>6 != 2 {
		return 0, false
	}
	return binary.BigEndian.Uint32(data[4:]), true
}

// ntp is a time as NTP writes it: seconds since 1900 and their fraction, 32 bits
// each.
func ntp(t time.Time) uint64 {
	const since1900 = 2208988800
	return uint64(t.Unix()+since1900)<<32 | uint64(t.Nanosecond())<<32/1e9
}
