package siptest

import (
	"net"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// Scenario is what SIPp does with one call that comes to it.
type Scenario struct {
	File string            // XML
	Keys map[string]string // [name] in the XML, beside SIPp's own
	Args []string          // further ones of SIPp
}

// Run is a SIPp that plays a scenario once.
type Run struct {
	p    *program
	addr string
}

// sippLimit bounds a scenario; SIPp itself ends then, with an error.
const sippLimit = 20 * time.Second

// SIPp starts Debian's SIPp (sip-tester) as the phone of a scenario, and returns
// when it listens. The test is skipped where it is not installed.
func SIPp(t testing.TB, s Scenario) *Run {
	t.Helper()
	at := find(t, "sipp", "sip-tester")
	file, err := filepath.Abs(s.File)
	if err != nil {
		t.Fatalf("siptest: %v", err)
	}
	port := Ports(t, 4)
	argv := []string{
		at, "-sf", file, "-i", "127.0.0.1", "-p", strconv.Itoa(port), "-mi", "127.0.0.1", "-mp", strconv.Itoa(port + 2), "-cp", strconv.Itoa(port + 1),
		"-m", "1", "-nostdin", "-timeout", strconv.Itoa(int(sippLimit.Seconds())), "-timeout_error", "-trace_err", "-error_file", "errors", "-trace_logs", "-trace_msg", "-message_file", "messages", "-log_file", "log",
	}
	for k, v := range s.Keys {
		argv = append(argv, "-key", k, v)
	}
	r := &Run{launch(t, t.TempDir(), stdio{}, append(argv, s.Args...)...), net.JoinHostPort("127.0.0.1", strconv.Itoa(port))}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("SIPp:\n" + r.p.read("errors") + r.p.read("messages"))
		}
	})
	r.p.listening("udp", port)
	return r
}

// Addr is where it is called: "ip:port".
func (r *Run) Addr() string { return r.addr }

// Wait returns when the scenario is over. One that did not go as its file says
// fails the test.
func (r *Run) Wait() {
	r.p.t.Helper()
	if err := r.p.wait(sippLimit + time.Second); err != nil {
		r.p.t.Errorf("siptest: %v: %s", err, r.p.read("errors"))
	}
}

// Log is what the scenario's log actions wrote.
func (r *Run) Log() string { return r.p.read("log") }
