package siptest

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/audio"
)

// linphone is Debian's linphone 5.1 at its command line. Its recording is the
// whole call.
type linphone struct {
	*program
	addr   string
	typing *os.File
	events chan string // answered, ended
}

// What linphone says of a call.
var linphoneEvents = map[string]string{
	"Media streams established": "answered",
	"ended (":                   "ended",
}

// linphoneBuffer holds back what it hears. Its own 60 ms, which adapt, lose sound
// on a busy machine.
const linphoneBuffer = 300 * time.Millisecond

// Linphone starts a linphonec (linphone-cli). The test is skipped where it is not
// installed. It does not take connections over TLS ("not handled !").
func Linphone(t testing.TB, h Handset) Phone {
	t.Helper()
	if h.TLS != nil {
		t.Fatal("siptest: linphone takes no connections over TLS")
	}
	at := find(t, "linphonec", "linphone-cli")
	dir, port := t.TempDir(), Ports(t, 8)
	// Without these folders it has no database, and does not start.
	put(t, "", dir, ".local", "share", "linphone", "kept")
	put(t, "", dir, ".config", "linphone", "kept")
	rc := put(t, linphoneConfig(h, port), dir, "rc")
	l := &linphone{addr: loopback(port), events: make(chan string, 64)}
	stdin, out := pipe(t), pipe(t)
	l.typing = stdin.w
	l.program = launch(t, dir, stdio{stdin.r, out.w}, at, "-a", "-c", rc, "-d", "6", "-l", "log")
	_, _ = stdin.r.Close(), out.w.Close() // they are linphone's now
	go l.listen(out.r)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("linphone:\n" + l.read("log"))
		}
	})
	l.listening("udp", port)
	for _, command := range []string{"soundcard use files", "record " + filepath.Join(dir, "rec.wav"), "play " + putSilence(t, dir)} {
		l.command(command)
	}
	return l
}

// ends are those of a pipe.
type ends struct{ r, w *os.File }

func pipe(t testing.TB) ends {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatalf("siptest: %v", err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	return ends{r, w}
}

// listen reads what it says, until it ends.
func (l *linphone) listen(out *os.File) {
	defer close(l.events)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		for text, event := range linphoneEvents {
			if strings.Contains(lines.Text(), text) {
				select {
				case l.events <- event:
				default: // nobody wants so many
				}
			}
		}
	}
}

func (l *linphone) command(line string) {
	l.t.Helper()
	if _, err := fmt.Fprintln(l.typing, line); err != nil {
		l.t.Errorf("siptest: linphone: %v", err)
	}
}

func (l *linphone) Addr() string   { return l.addr }
func (l *linphone) Answered()      { l.t.Helper(); l.event(l.events, "answered") }
func (l *linphone) Ended()         { l.t.Helper(); l.event(l.events, "ended") }
func (l *linphone) Hangup()        { l.t.Helper(); l.command("terminate") }
func (l *linphone) Press(key byte) { l.t.Helper(); l.command(string(key)) }

func (l *linphone) Recording() audio.Sound {
	l.t.Helper()
	l.command("quit")
	if err := l.wait(5 * time.Second); err != nil {
		l.t.Logf("siptest: linphone did not end by itself: %v", err)
	}
	return recorded(l.t, filepath.Join(l.dir, "rec.wav"))
}

// linphoneConfig sets it up. A port of 0 would make it listen at nothing; -2 turns
// a transport off.
func linphoneConfig(h Handset, port int) string {
	c := fmt.Sprintf("[sip]\nsip_port=%d\nsip_tcp_port=-2\nsip_tls_port=-2\nbind_address=127.0.0.1\nuse_ipv6=0\nguess_hostname=0\n", port)
	if h.SRTP {
		c += "media_encryption=srtp\nmedia_encryption_mandatory=1\n"
	}
	c += "contact=\"callee\" <sip:lp@127.0.0.1>\n[rtp]\n" + fmt.Sprintf("audio_rtp_port=%d\naudio_adaptive_jitt_comp_enabled=0\naudio_jitt_comp=%d\n", port+2, linphoneBuffer.Milliseconds()) + "[sound]\nechocancellation=0\n"
	have := strings.Join(codecNames(h.Codecs), " ")
	for i, name := range []string{"pcmu", "pcma"} {
		c += fmt.Sprintf("[audio_codec_%d]\nmime=%s\nrate=8000\nchannels=1\nenabled=%d\n", i, strings.ToUpper(name), or(strings.Contains(have, name), 1, 0))
	}
	return c
}

func or[T any](cond bool, a, b T) T {
	if cond {
		return a
	}
	return b
}
