package siptest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/audio"
)

// Handset is how a phone is set up. Its zero value takes PCMU over UDP.
type Handset struct {
	Number string        // user part that it answers to; zero: "callee"
	Codecs []audio.Codec // that it has; zero: PCMU
	TLS    *Identity     // it listens over TLS; nil: UDP
	SRTP   bool          // it insists on SRTP, with keys by SDES
}

// Phone is another project's telephone. It answers every call that comes, sends
// silence, and records what it hears of its first call.
type Phone interface {
	// Addr is where it is called: "ip:port".
	Addr() string
	// Answered returns when it has answered and its sound is on.
	Answered()
	// Press presses a key, in the call.
	Press(key byte)
	// Hangup ends the call.
	Hangup()
	// Ended returns when the call is over.
	Ended()
	// Recording is what it heard. It ends the phone.
	Recording() audio.Sound
}

// PhonePatience bounds the wait for a phone's answer and for a call's end. It is
// longer than a call that reads a code three times.
const PhonePatience = 100 * time.Second

// codecNames are written as SDP does, in lower case: "pcmu".
func codecNames(codecs []audio.Codec) (names []string) {
	if len(codecs) == 0 {
		codecs = []audio.Codec{audio.PCMU}
	}
	for _, c := range codecs {
		names = append(names, strings.ToLower(c.String()))
	}
	return names
}

// put writes a file of a phone's folder, and the folders on the way.
func put(t testing.TB, content string, path ...string) string {
	t.Helper()
	at := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
		t.Fatalf("siptest: %v", err)
	}
	if err := os.WriteFile(at, []byte(content), 0o600); err != nil {
		t.Fatalf("siptest: %v", err)
	}
	return at
}

// putSilence writes ten minutes of silence, which a phone "says".
func putSilence(t testing.TB, dir string) string {
	t.Helper()
	quiet := audio.Sound{Rate: audio.Rate, Samples: audio.Silence(10 * time.Minute)}
	return put(t, string(quiet.WAV()), dir, "silence.wav")
}

// recorded reads a phone's recording.
func recorded(t testing.TB, file string) audio.Sound {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("siptest: %v", err)
	}
	s, err := audio.DecodeWAV(b)
	if err != nil {
		t.Fatalf("siptest: %v", err)
	}
	return s
}

// event waits for one of a phone's events.
func (p *program) event(events <-chan string, want string) {
	p.t.Helper()
	limit := time.NewTimer(PhonePatience)
	defer limit.Stop()
	for {
		select {
		case got, ok := <-events:
			if !ok {
				p.t.Fatalf("siptest: %s ended before %q", p.name, want)
			}
			if got == want {
				return
			}
		case <-limit.C:
			p.t.Fatalf("siptest: %s: no %q in %v", p.name, want, PhonePatience)
		}
	}
}
