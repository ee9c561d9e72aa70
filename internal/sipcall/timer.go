package sipcall

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// sessionExpires is a Session-Expires header (RFC 4028 section 4).
type sessionExpires struct {
	interval  time.Duration // 0: no session timer
	refresher string        // "uac", "uas" or "": not said
}

// timerOf reads a message's Session-Expires, or its compact form x.
func timerOf(m sip.Message) (s sessionExpires) {
	parts := strings.Split(first(m, "Session-Expires", "x"), ";")
	n, ok := smallNumber(strings.TrimSpace(parts[0]))
	if !ok {
		return s
	}
	s.interval = time.Duration(n) * time.Second
	for _, p := range parts[1:] {
		k, v, _ := strings.Cut(strings.TrimSpace(p), "=")
		if v = strings.ToLower(v); strings.EqualFold(k, "refresher") && (v == "uac" || v == "uas") {
			s.refresher = v
		}
	}
	return s
}

// header writes Session-Expires; without a refresher the other end chooses.
func (s sessionExpires) header() sip.Header {
	value := strconv.Itoa(int(s.interval / time.Second))
	if s.refresher != "" {
		value += ";refresher=" + s.refresher
	}
	return sip.NewHeader("Session-Expires", value)
}

// timerHeaders ask for a session timer, and say the shortest that we accept.
func timerHeaders(expires, minSE time.Duration, refresher string) []sip.Header {
	return []sip.Header{
		sessionExpires{expires, refresher}.header(),
		sip.NewHeader("Min-SE", strconv.Itoa(int(minSE/time.Second))),
	}
}

// startTimer runs the session timer that a 2xx agreed on; present: it holds a
// Session-Expires. weAsked: the request that it answers was ours, so "uac" is us.
// An answer to us that names no refresher, as RFC 4028 demands, leaves it to us: who
// waits for a refresh that nobody sends would hang up amid the digits. The
// refresher refreshes at half the interval, the other gives the call up
// shortly before its end (RFC 4028 section 10).
func (call *Call) startTimer(s sessionExpires, present, weAsked bool) {
	call.mu.Lock()
	defer call.mu.Unlock()
	if call.timer != nil {
		call.timer.Stop()
		call.timer = nil
	}
	if !present || s.interval <= 0 || call.end != nil {
		return
	}
	if weAsked {
		s.refresher = or(s.refresher, "uac")
	}
	if refreshing := (s.refresher == "uac") == weAsked; refreshing {
		call.timer = time.AfterFunc(s.interval/2, func() { call.c.work.Go(func() { call.refresh(s.interval) }) })
		return
	}
	grace := min(32*time.Second, s.interval/3)
	call.timer = time.AfterFunc(s.interval-grace, func() {
		call.finish(End{By: ByTimer, Reason: "the other end did not refresh the session"}, true)
	})
}

// refresh keeps the session alive, by UPDATE where the other end takes it, else
// by re-INVITE with the offer that stands.
func (call *Call) refresh(interval time.Duration) {
	ctx, cancel := context.WithTimeout(call.life, transactionTime)
	defer cancel()
	select {
	case call.changing <- struct{}{}:
		defer call.endTurn()
	case <-ctx.Done():
		return
	}
	call.mu.Lock()
	method := sip.INVITE
	if call.update {
		method = sip.UPDATE
	}
	call.mu.Unlock()
	req := call.d.request(method, 0)
	for _, h := range timerHeaders(interval, call.c.cfg.SessionTimer.MinSE, "uac") {
		req.AppendHeader(h)
	}
	if method == sip.INVITE {
		req.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
		req.SetBody(call.sess.offer())
	}
	res, err := call.d.do(ctx, req)
	if call.life.Err() != nil {
		return
	}
	if err != nil || res.StatusCode == 408 || res.StatusCode == 481 { // RFC 5057: the dialog is gone
		call.finish(End{By: ByTimer, Reason: "the other end did not answer the session's refresh"}, true)
		return
	}
	if res.IsSuccess() && method == sip.INVITE {
		call.d.refresh(res)
		call.d.send(call.d.ack(req, res.CSeq().SeqNo))
		if remote, err := call.sess.accept(res.Body()); err == nil {
			_ = call.stream.Connect(remote) // the media that flows stays where it is
		}
	}
	s := timerOf(res)
	if s.interval == 0 { // 491 and the like, or a 2xx without a timer: try again as agreed
		s = sessionExpires{interval, "uac"}
	}
	call.startTimer(s, true, true)
}
