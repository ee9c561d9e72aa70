package sipcall_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/sipcall"
	"github.com/pincall/pincall/internal/sipcall/siptest"
)

// rough is sound that is like itself at no other place, loud and soft.
func rough(d time.Duration) *audio.Clip {
	rng := rand.New(rand.NewPCG(1, 2))
	pcm := make([]int16, int(d.Seconds()*audio.Rate))
	smooth := 0.0
	for i := range pcm {
		smooth += 0.3 * (rng.NormFloat64() - smooth)
		swell := 0.5 + 0.5*math.Sin(2*math.Pi*float64(i)/audio.Rate)
		pcm[i] = int16(6000 * swell * smooth)
	}
	return audio.NewClip(pcm)
}

// overLine is what a clip sounds like at the other end of a line.
func overLine(clip *audio.Clip, codec audio.Codec) []int16 {
	var all []int16
	for _, f := range clip.Frames(codec) {
		pcm := make([]int16, len(f))
		codec.Decode(pcm, f)
		all = append(all, pcm...)
	}
	return all
}

// place is where sound lies in a recording, at from or up to 1.2 s later, by its
// beginning; and how well all of it correlates there: 1 is the same sound.
func place(recording, sound []int16, from int) (at int, correlation float64) {
	const beginning = 800
	best := 0.0
	for i := from; i < from+audio.Rate*6/5 && i+len(sound) <= len(recording); i++ {
		if c := alike(recording[i:], sound[:beginning]); c > best {
			at, best = i, c
		}
	}
	return at, alike(recording[at:], sound)
}

// alike is the correlation of sound with what a recording begins with.
func alike(recording, sound []int16) float64 {
	var dot, own, theirs int64
	for i, v := range sound {
		a, b := int64(v), int64(recording[i])
		dot, own, theirs = dot+a*b, own+a*a, theirs+b*b
	}
	return float64(dot) / (math.Sqrt(float64(own))*math.Sqrt(float64(theirs)) + 1)
}

// TestPhones calls telephones of other projects: what is played is what they
// record, and the key that they press comes.
func TestPhones(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		ring    func(testing.TB, siptest.Handset) siptest.Phone
		handset siptest.Handset
		tls     bool
		exact   bool // it records every sample as it came
	}{
		{name: "baresip", ring: siptest.Baresip, exact: true},
		{name: "baresip PCMA", ring: siptest.Baresip, handset: siptest.Handset{Codecs: []audio.Codec{audio.PCMA}}, exact: true},
		{name: "baresip TLS SRTP", ring: siptest.Baresip, handset: siptest.Handset{SRTP: true}, tls: true, exact: true},
		{name: "linphone", ring: siptest.Linphone},
		{name: "linphone PCMA", ring: siptest.Linphone, handset: siptest.Handset{Codecs: []audio.Codec{audio.PCMA}}},
		{name: "linphone SRTP", ring: siptest.Linphone, handset: siptest.Handset{SRTP: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := sipcall.Config{Open: realMedia(t, newEngine(t))}
			if c.handset.SRTP {
				cfg.SRTP = sipcall.SRTPRequired
			}
			if c.tls {
				c.handset.TLS = siptest.NewIdentity(t)
				cfg.Transport, cfg.TLS = sipcall.TLS, sipcall.Security{CA: c.handset.TLS.CA}
			}
			c.handset.Number = number
			phone := c.ring(t, c.handset)
			cfg.Proxies = []string{phone.Addr()}
			tr := start(t, cfg)
			r := get(t, tr.place(t.Context(), sipcall.Invite{To: number, From: callerID, RingTimeout: 5 * time.Second}))
			if r.call == nil {
				t.Fatal(r.failure)
			}
			phone.Answered()
			if r.call.Encrypted() != c.handset.SRTP {
				t.Errorf("encrypted %v", r.call.Encrypted())
			}
			clip, codec := rough(2*time.Second), audio.PCMU
			if c.handset.Codecs != nil {
				codec = c.handset.Codecs[0]
			}
			hear(t, r.call, phone, clip)
			same(t, phone.Recording(), overLine(clip, codec), c.exact)
		})
	}
}

// same finds what was sent in a recording. One that is not exact has at least
// half a second of it whole: its jitter buffer moves when the machine is busy.
func same(t *testing.T, recording audio.Sound, sent []int16, exact bool) {
	t.Helper()
	const piece = audio.Rate / 2
	best := 0.0
	for from := 0; from+2*piece <= len(sent); from += piece {
		at, correlation := place(recording.Samples, sent[from:from+piece], from)
		best = max(best, correlation)
		t.Logf("recorded %v: sound of %v is at %v, correlation %.4f", recording.Duration(), samples(from), samples(at), correlation)
		for i, v := range sent[:or(exact && from == 0, len(sent), 0)] {
			if d := int(recording.Samples[at+i]) - int(v); d < -2 || d > 2 {
				t.Fatalf("sample %d of %d is %d off", i, len(sent), d)
			}
		}
	}
	if best < 0.99 {
		t.Errorf("no piece of the recording is what was played: correlation %.3f", best)
	}
}

func samples(n int) time.Duration { return time.Duration(n) * time.Second / audio.Rate }

// hear plays a clip between two silences, has a key pressed, and has the phone hang up.
func hear(t *testing.T, call *sipcall.Call, phone siptest.Phone, clip *audio.Clip) {
	t.Helper()
	if err := call.Pause(t.Context(), 500*time.Millisecond); err != nil {
		t.Error(err)
	}
	if err := call.Play(t.Context(), clip); err != nil {
		t.Error(err)
	}
	phone.Press('7')
	if k := get(t, call.Keys()); k != '7' {
		t.Errorf("key %q", k)
	}
	if err := call.Pause(t.Context(), 400*time.Millisecond); err != nil {
		t.Error(err)
	}
	if s := call.Stats(); s.Received < 50 || s.Foreign > 25 { // what came before the answer was read is foreign
		t.Errorf("stats %+v", s)
	}
	phone.Hangup()
	phone.Ended()
	get(t, call.Gone())
	if end, _ := call.End(); end.By != sipcall.ByThem {
		t.Errorf("end %+v", end)
	}
	if err := call.Hangup(t.Context()); err != nil {
		t.Error(err)
	}
}
