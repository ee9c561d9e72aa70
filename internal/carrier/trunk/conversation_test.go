package trunk_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/carrier/carriertest"
	"github.com/pincall/pincall/internal/carrier/trunk"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/sipcall/siptest"
)

// ear is a phone's sound: a socket that keeps what it hears and presses keys.
type ear struct {
	t    *testing.T
	conn *net.UDPConn
	keys chan byte // pressed by the other end
	said chan int  // values of the fake voice, each once a frame
}

func newEar(t *testing.T) *ear {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	e := &ear{t: t, conn: conn, keys: make(chan byte, 100), said: make(chan int, 1000)}
	go e.listen()
	return e
}

// sdp is the answer of the phone, with another payload type for keys than ours.
func (e *ear) sdp() string {
	port := e.conn.LocalAddr().(*net.UDPAddr).Port
	return siptest.SDP(fmt.Sprintf("m=audio %d RTP/AVP 0 96", port), "a=rtpmap:0 PCMU/8000", "a=rtpmap:96 telephone-event/8000")
}

func (e *ear) listen() {
	buf := make([]byte, 2000)
	var pcm [audio.FrameSamples]int16
	last := uint32(0)
	for {
		n, _, err := e.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		payload := buf[12:n]
		switch buf[1] & 0x7f {
		case 0:
			audio.PCMU.Decode(pcm[:], payload)
			e.said <- int(pcm[80])
		case 96:
			if at := binary.BigEndian.Uint32(buf[4:]); payload[1]&0x80 != 0 && at != last {
				last = at
				e.keys <- "0123456789*#"[payload[0]]
			}
		}
	}
}

// press sends a key as an event (RFC 4733) of payload type 101, ours, to the port
// of our offer.
func (e *ear) press(offer string, key byte, seq uint16) {
	e.t.Helper()
	m := regexp.MustCompile(`m=audio (\d+) `).FindStringSubmatch(offer)
	port, err := strconv.Atoi(m[1])
	if err != nil {
		e.t.Fatal(err)
	}
	for i := range 3 {
		p := make([]byte, 16)
		p[0], p[1] = 0x80, 101
		binary.BigEndian.PutUint16(p[2:], seq+uint16(i))
		binary.BigEndian.PutUint32(p[4:], 160*uint32(seq))
		binary.BigEndian.PutUint32(p[8:], 77)
		p[12], p[13] = byte(strings.IndexByte("0123456789*#", key)), 0x80|10
		binary.BigEndian.PutUint16(p[14:], 800)
		if _, err := e.conn.WriteTo(p, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}); err != nil {
			e.t.Error(err)
		}
	}
}

// digits are the digits that the fake voice read, until there are n.
func (e *ear) digits(n int) string {
	e.t.Helper()
	var out strings.Builder
	for limit := time.After(siptest.Patience); out.Len() < n; {
		select {
		case v := <-e.said:
			if v > 500 { // mu-law is exact to a few percent
				out.WriteByte(byte('0' + (v-1000+500)/1000))
			}
		case <-limit:
			e.t.Fatalf("heard %d of %d digits", out.Len(), n)
		}
	}
	return out.String()
}

// followed follows a call beside the test.
func followed(t *testing.T, r rig, ref carrier.Ref) (<-chan carrier.Event, <-chan outcome.Ending) {
	t.Helper()
	events, end := make(chan carrier.Event, 100), make(chan outcome.Ending, 1)
	go func() {
		e, err := r.Follow(t.Context(), ref, func(e carrier.Event) { events <- e })
		if err != nil {
			t.Errorf("Follow: %v", err)
		}
		end <- e
	}()
	return events, end
}

func get[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(siptest.Patience):
		t.Fatal("nothing came in time")
	}
	panic("unreachable")
}

func place(t *testing.T, r rig, c carrier.Call) carrier.Ref {
	t.Helper()
	ref, err := r.Place(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// A whole call as a carrier and a phone see it.
func TestConversation(t *testing.T) {
	t.Parallel()
	p, e := siptest.UDP(t), newEar(t)
	r := start(t, p.Addr(), trunk.Config{Numbering: trunk.Numbering{Format: trunk.E164, Prefix: "1234"}})
	call := voice(t, script.GateAnyKey)
	call.Extension = secret.NewText("4w7#")
	events, end := followed(t, r, place(t, r, call))

	inv := p.Next("INVITE")
	if to := inv.Start; !strings.HasPrefix(to, "INVITE sip:1234"+number[1:]+"@127.0.0.1") {
		t.Error("the number is not written as configured")
	}
	if from := inv.Header("From"); !strings.Contains(from, "sip:"+callerID+"@") {
		t.Error("the caller ID is not in From")
	}
	p.Reply(inv, "183 Session Progress", siptest.Answer{Tag: "a", Body: e.sdp()})
	p.Reply(inv, "180 Ringing", siptest.Answer{Tag: "a"})
	if k := get(t, events).Kind; k != carrier.Ringing {
		t.Fatalf("%s, want ringing", k)
	}
	p.Reply(inv, "200 OK", siptest.Answer{Tag: "a", Body: e.sdp(), Headers: []string{p.Contact()}})
	p.Next("ACK")
	if k := get(t, events).Kind; k != carrier.Answered {
		t.Fatalf("%s, want answered", k)
	}
	for _, want := range []byte("47#") {
		if got := get(t, e.keys); got != want {
			t.Errorf("the extension has %c in the place of %c", got, want)
		}
	}
	var seq uint16
	for passed := false; !passed; seq += 3 { // keys before the prompt's end are dropped
		e.press(inv.Body, '5', seq)
		select {
		case ev := <-events:
			passed = ev.Kind == carrier.GatePassed
		case <-time.After(300 * time.Millisecond):
		}
	}
	code := carriertest.Code().Reveal()
	if got := e.digits(18); got != code+code+code {
		t.Error("the digits that were heard are not the code, three times")
	}
	bye := p.Next("BYE")
	p.Reply(bye, "200 OK", siptest.Answer{})
	got := get(t, end)
	want := outcome.Ending{Outcome: outcome.Heard, Reason: "the code was read to its end", MayHaveRung: true}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if text := r.log.String(); !strings.Contains(text, `msg="call media" attempt=attempt`) {
		t.Errorf("no line of figures in the log:\n%s", text)
	}
}

// A ringing call is canceled, and the phone is told.
func TestHangupWhileRinging(t *testing.T) {
	t.Parallel()
	p := siptest.UDP(t)
	r := start(t, p.Addr(), trunk.Config{})
	ref := place(t, r, voice(t, script.GateAnyKey))
	events, end := followed(t, r, ref)
	inv := p.Next("INVITE")
	p.Reply(inv, "180 Ringing", siptest.Answer{Tag: "a"})
	get(t, events)
	if err := r.Hangup(t.Context(), ref); err != nil {
		t.Error(err)
	}
	p.Reply(p.Next("CANCEL"), "200 OK", siptest.Answer{Tag: "a"})
	p.Reply(inv, "487 Request Terminated", siptest.Answer{Tag: "a"})
	e := get(t, end)
	if e.Outcome != outcome.Canceled || !e.MayHaveRung || e.Fault != outcome.FaultNone {
		t.Errorf("%s, may have rung: %t, fault %q", e.Outcome, e.MayHaveRung, e.Fault)
	}
	if n := trunk.Running(r.Carrier); n != 0 {
		t.Errorf("%d calls still count", n)
	}
}

// The carrier hangs up in the middle of a digit, with a cause.
func TestRemoteHangup(t *testing.T) {
	t.Parallel()
	p, e := siptest.UDP(t), newEar(t)
	r := start(t, p.Addr(), trunk.Config{})
	_, end := followed(t, r, place(t, r, voice(t, script.GateAnyKey)))
	inv := p.Next("INVITE")
	p.Reply(inv, "200 OK", siptest.Answer{Tag: "a", Body: e.sdp(), Headers: []string{p.Contact()}})
	p.Next("ACK")
	p.Send(inv, p.InDialog(inv, "BYE", 2, siptest.Answer{Tag: "a", Headers: []string{`Reason: Q.850;cause=16`}}))
	p.Next("SIP/2.0 200")
	got := get(t, end)
	if got.Outcome != outcome.HungUpEarly || !strings.Contains(got.Detail, "cause 16") {
		t.Errorf("%s, %q", got.Outcome, got.Detail)
	}
}

// Close ends what rings and what talks, tells the other end, and leaves nothing.
func TestClose(t *testing.T) {
	t.Parallel()
	r := pair(t, trunk.Config{})
	r.phone.act(answers("", 0, false))
	talking := place(t, r, voice(t, script.GateAnyKey))
	events, talked := followed(t, r, talking)
	if k := get(t, events).Kind; k != carrier.Answered {
		t.Fatalf("%s, want answered", k)
	}
	r.phone.act(lies)
	_, rung := followed(t, r, place(t, r, voice(t, script.GateAnyKey)))
	for deadline := time.Now().Add(siptest.Patience); ; time.Sleep(time.Millisecond) {
		if from, _ := r.phone.seen(); len(from) == 2 || time.Now().After(deadline) {
			break
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if e := get(t, talked); e.Outcome != outcome.Canceled {
		t.Errorf("the call that talked: %s", e.Outcome)
	}
	if e := get(t, rung); e.Outcome != outcome.Canceled {
		t.Errorf("the call that rang: %s", e.Outcome)
	}
	if n := r.phone.Calls(); n != 0 {
		t.Errorf("the phone still has %d calls", n)
	}
	if _, err := r.Place(t.Context(), voice(t, script.GateAnyKey)); err == nil || carrier.EndingOf(err).MayHaveRung {
		t.Error("a closed trunk places, or says that the phone may have rung")
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
