package media

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pincall/pincall/internal/audio"
)

const (
	slotWidth = time.Millisecond
	slots     = int(audio.FrameDuration / slotWidth)
	// batch is how many packets one system call sends at most: 256 gain less
	// than a tenth over 64.
	batch = 64
	// packetRoom holds a frame with its RTP header and SRTP tag.
	packetRoom = rtpHeader + audio.FrameSamples + tagRoom
	// tooLate is when frames are not sent in a burst any more: the whole time
	// line moves. A machine that slept would else send seconds at once.
	tooLate = 100 * time.Millisecond
	// homeSlack is how many streams more than the emptiest slot a socket's home
	// slot may have.
	homeSlack = 8
)

// pacer sends the frames of its streams. Every stream has one of 20 slots of
// 1 ms; tick t, t ms after base, belongs to slot t mod 20. Deadlines are
// absolute, so that lateness does not add up.
type pacer struct {
	net  driver
	base time.Time
	late lateness

	mu      sync.Mutex
	count   [slots]int // streams by slot, those in changes included
	changes []change   // to be taken over at the next slot
	wake    chan struct{}
	stopped atomic.Bool

	// Of the pacing thread alone:
	wheel   [slots][]*Stream // by slot, streams of one socket side by side
	active  int              // streams on the wheel
	applied []change
	buffers [batch][packetRoom]byte
	out     []packet // of one socket; their bytes are in buffers
	ended   []*turn  // whose last frame is in out, or was sent in this slot
}

// change puts a stream on the wheel, or takes it off.
type change struct {
	stream *Stream
	off    bool
}

func newPacer(d driver, base time.Time) *pacer {
	return &pacer{net: d, base: base, wake: make(chan struct{}, 1), out: make([]packet, 0, batch)}
}

// add gives a stream its slot: its socket's home, or the emptiest one where that
// is fuller than others.
func (p *pacer) add(s *Stream, home int) {
	p.mu.Lock()
	emptiest := home
	for i, n := range p.count {
		if n < p.count[emptiest] {
			emptiest = i
		}
	}
	s.slot = home
	if p.count[home] > p.count[emptiest]*5/4+homeSlack {
		s.slot = emptiest
	}
	p.count[s.slot]++
	p.changes = append(p.changes, change{stream: s})
	p.mu.Unlock()
	p.nudge()
}

// remove takes a stream that was added off the wheel.
func (p *pacer) remove(s *Stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count[s.slot]--
	p.changes = append(p.changes, change{s, true})
}

// stop ends run within a frame's time.
func (p *pacer) stop() {
	p.stopped.Store(true)
	p.nudge()
}

// nudge wakes a pacer that waits for its first stream.
func (p *pacer) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// load is the number of streams and the p99 of their lateness.
func (p *pacer) load() (streams int, late time.Duration) {
	p.mu.Lock()
	for _, n := range p.count {
		streams += n
	}
	p.mu.Unlock()
	return streams, p.late.p99(p.net.now())
}

// run is the pacing thread. It keeps its thread to the end: the thread's priority
// is nobody else's.
func (p *pacer) run() {
	runtime.LockOSThread()
	p.net.thread()
	tick := p.tick(p.net.now())
	for !p.stopped.Load() {
		if p.apply(); p.active == 0 {
			<-p.wake
			tick = p.tick(p.net.now())
			continue
		}
		for tick++; len(p.wheel[tick%slots]) == 0; tick++ {
		}
		p.net.sleep(p.deadline(tick))
		now := p.net.now()
		if behind := now.Sub(p.deadline(tick)); behind > tooLate {
			tick += int(behind/audio.FrameDuration) * slots
		}
		p.serve(tick, now)
	}
}

func (p *pacer) tick(at time.Time) int          { return int(at.Sub(p.base) / slotWidth) }
func (p *pacer) deadline(tick int) time.Time    { return p.base.Add(time.Duration(tick) * slotWidth) }
func sameSocket(k *socket) func(s *Stream) bool { return func(s *Stream) bool { return s.socket == k } }

// apply takes the changes over, or leaves them for the next slot: who holds the
// lock may have lost the core, and the frames do not wait.
func (p *pacer) apply() {
	if !p.mu.TryLock() {
		return
	}
	p.changes, p.applied = p.applied[:0], p.changes
	p.mu.Unlock()
	for _, c := range p.applied {
		row := &p.wheel[c.stream.slot]
		if c.off {
			i := slices.Index(*row, c.stream)
			*row = slices.Delete(*row, i, i+1)
			p.active--
			continue
		}
		i := slices.IndexFunc(*row, sameSocket(c.stream.socket))
		*row = slices.Insert(*row, max(i, 0), c.stream)
		p.active++
	}
	clear(p.applied) // lets the streams go
}

// serve sends one frame of every stream of a tick's slot.
func (p *pacer) serve(tick int, now time.Time) {
	row := p.wheel[tick%slots]
	deadline := p.deadline(tick)
	late := now.Sub(deadline)
	var current *socket
	for _, s := range row {
		if s.socket != current || len(p.out) == batch {
			p.flush(current)
			current = s.socket
		}
		data, to, end := s.out.next(p.buffers[len(p.out)][:], late)
		if data != nil {
			p.out = append(p.out, packet{data, to})
		}
		if end != nil {
			p.ended = append(p.ended, end)
		}
		s.reportIfDue(now)
	}
	p.flush(current)
	for _, t := range p.ended {
		close(t.done)
	}
	clear(p.ended)
	p.ended = p.ended[:0]
	now = p.net.now()
	p.late.add(now, now.Sub(deadline), len(row))
}

// flush sends what is built of one socket's packets.
func (p *pacer) flush(k *socket) {
	if len(p.out) == 0 {
		return
	}
	k.rtp.send(p.out)
	p.out = p.out[:0]
}
