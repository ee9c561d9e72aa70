package sipcall

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/media"
)

func testConfig(t testing.TB, change func(*Config)) *Config {
	t.Helper()
	cfg := Config{Proxies: []string{"192.0.2.1"}, Open: func() (Stream, error) { return nil, nil }}
	if change != nil {
		change(&cfg)
	}
	cfg, err := cfg.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	return &cfg
}

const head = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\n"

func TestAnswers(t *testing.T) {
	t.Parallel()
	aaaa := strings.Repeat("A", 40)
	at := netip.MustParseAddrPort
	for _, c := range []struct {
		name, body string
		srtp       SRTP
		want       media.Remote
		secure     bool
		err        error
	}{
		{"static numbers without rtpmap", "c=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n", "", media.Remote{RTP: at("192.0.2.9:4000"), Codec: audio.PCMA, EventsIn: 101}, false, nil},
		{"its own event number", "c=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 96\r\na=rtpmap:96 telephone-event/8000/1\r\n", "", media.Remote{RTP: at("192.0.2.9:4000"), Events: 96, EventsIn: 101}, false, nil},
		{"c= of the medium wins", "c=IN IP4 0.0.0.0\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\nc=IN IP4 192.0.2.7\r\n", "", media.Remote{RTP: at("192.0.2.7:4000"), EventsIn: 101}, false, nil},
		{"several media, the first refused", "c=IN IP4 192.0.2.9\r\nt=0 0\r\nm=video 5000 RTP/AVP 31\r\nm=audio 0 RTP/AVP 0\r\nm=audio 4004 RTP/AVP 0\r\na=rtcp:4999\r\n", "", media.Remote{RTP: at("192.0.2.9:4004"), RTCP: at("192.0.2.9:4999"), EventsIn: 101}, false, nil},
		{"IPv6", "c=IN IP6 2001:db8::1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=sendrecv\r\n", "", media.Remote{RTP: at("[2001:db8::1]:4000"), EventsIn: 101}, false, nil},
		{"held for the session", "c=IN IP4 192.0.2.9\r\nt=0 0\r\na=inactive\r\nm=audio 4000 RTP/AVP 0\r\n", "", media.Remote{RTP: at("192.0.2.9:4000"), EventsIn: 101, Hold: true}, false, nil},
		{"sendrecv of the medium wins", "c=IN IP4 192.0.2.9\r\nt=0 0\r\na=sendonly\r\nm=audio 4000 RTP/AVP 0\r\na=sendrecv\r\n", "", media.Remote{RTP: at("192.0.2.9:4000"), EventsIn: 101}, false, nil},
		{"all refused", "c=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 0 RTP/AVP 0\r\n", "", media.Remote{}, false, errNoAudio},
		{"another codec", "c=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 18 3\r\n", "", media.Remote{}, false, errNoCodec},
		{"0 is something else", "c=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=rtpmap:0 G722/8000\r\n", "", media.Remote{}, false, errNoCodec},
		{"no address", "t=0 0\r\nm=audio 4000 RTP/AVP 0\r\n", "", media.Remote{}, false, errNoAudio},
		{"no final line end", "c=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0", "", media.Remote{RTP: at("192.0.2.9:4000"), EventsIn: 101}, false, nil},
		{"required and given", "c=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + aaaa + "|2^20\r\n", SRTPRequired, media.Remote{RTP: at("192.0.2.9:4000"), EventsIn: 101}, true, nil},
		{"required and not given", "c=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n", SRTPRequired, media.Remote{}, false, errNoCrypto},
		{"required with an MKI", "c=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + aaaa + "|2^20|1:4\r\n", SRTPRequired, media.Remote{}, false, errNoCrypto},
		{"optional and not given", "c=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n", SRTPOptional, media.Remote{RTP: at("192.0.2.9:4000"), EventsIn: 101}, false, nil},
		{"forced on us", "c=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + aaaa + "\r\n", SRTPOff, media.Remote{}, false, errNoCrypto},
	} {
		s := newSession(testConfig(t, func(cfg *Config) { cfg.SRTP = c.srtp }), at("198.51.100.1:30000"))
		s.offer()
		got, err := s.accept([]byte(head + c.body))
		if !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", c.name, err, c.err)
			continue
		}
		if secure := got.Send != nil && got.Receive != nil; secure != c.secure {
			t.Errorf("%s: encrypted %v", c.name, secure)
		}
		got.Send, got.Receive = nil, nil
		if d := cmp.Diff(fmt.Sprint(c.want), fmt.Sprint(got)); c.err == nil && d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

func TestOffers(t *testing.T) {
	t.Parallel()
	s := newSession(testConfig(t, func(cfg *Config) {
		cfg.SRTP, cfg.Codecs, cfg.EventPT = SRTPOptional, []audio.Codec{audio.PCMA}, 97
	}), netip.MustParseAddrPort("[2001:db8::5]:30000"))
	offer := string(s.offer())
	for _, want := range []string{"c=IN IP6 2001:db8::5\r\n", "m=audio 30000 RTP/AVP 8 97\r\n", "a=crypto:1 " + media.SuiteSHA1_80, "a=rtcp:30001\r\n", "a=ptime:20\r\n", "a=sendrecv\r\n"} {
		if !strings.Contains(offer, want) {
			t.Errorf("no %q in\n%s", want, offer)
		}
	}
	if again := string(s.offer()); again != offer {
		t.Error("the same offer has another version")
	}
	if _, _, err := s.answer([]byte(head + "c=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\na=sendonly\r\n")); err != nil {
		t.Fatal(err)
	}
	if s.version != s.id+1 {
		t.Errorf("version %d after a change of %d", s.version, s.id)
	}
	foreign := newSession(testConfig(t, func(cfg *Config) { cfg.MediaPeers = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")} }), netip.MustParseAddrPort("192.0.2.1:4"))
	if _, err := foreign.accept([]byte(head + "c=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n")); !errors.Is(err, errForeign) {
		t.Errorf("a foreign address: %v", err)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(head + "c=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 96\r\na=rtpmap:96 telephone-event/8000\r\na=rtcp:1 IN IP4 1.2.3.4\r\n"))
	f.Add([]byte(head + "c=IN IP6 ::1\r\nt=0 0\r\nm=audio 1 RTP/SAVP 8\r\na=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:" + strings.Repeat("A", 40) + "|2^31|1:1 KDR=1\r\n"))
	f.Add([]byte("v=0\no=\ns=\nm=audio 99999/2 RTP/AVP 300 -1\n"))
	cfg := testConfig(f, func(cfg *Config) { cfg.SRTP = SRTPOptional })
	f.Fuzz(func(t *testing.T, body []byte) {
		s := newSession(cfg, netip.MustParseAddrPort("198.51.100.1:30000"))
		s.offer()
		if r, err := s.accept(body); err == nil && (r.RTP.Port() == 0 || !r.RTP.IsValid() || r.EventsIn != 101) {
			t.Errorf("accepted %+v", r)
		}
		if answer, r, err := s.answer(body); err == nil {
			if _, rerr := readSDP(answer); rerr != nil {
				t.Errorf("our answer cannot be read: %v\n%s", rerr, answer)
			}
			if r.Events != r.EventsIn && r.Events != 0 {
				t.Errorf("events %d, in %d", r.Events, r.EventsIn)
			}
		}
	})
}

// dns is a resolver with a few names.
type dns struct{ down bool }

func (d *dns) LookupSRV(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
	if d.down || name != "trunk.example" {
		return "", nil, errors.New("no such name")
	}
	if service == "sips" && proto == "tcp" {
		return "", []*net.SRV{{Target: "b.example.", Port: 5071}}, nil
	}
	return "", []*net.SRV{{Target: "a.example.", Port: 5070}, {Target: "gone.example.", Port: 1}, {Target: "b.example.", Port: 5080}}, nil
}

func (d *dns) LookupNetIP(_ context.Context, network, host string) ([]netip.Addr, error) {
	all := map[string][]string{"a.example": {"192.0.2.1", "192.0.2.2"}, "b.example": {"192.0.2.3"}, "trunk.example": {"192.0.2.9"}}
	var out []netip.Addr
	for _, a := range all[host] {
		out = append(out, netip.MustParseAddr(a))
	}
	if d.down || len(out) == 0 || network != "ip4" {
		return nil, errors.New("no such host")
	}
	return out, nil
}

func TestResolve(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		proxy     string
		transport Transport
		noSRV     bool
		want      string
	}{
		{"trunk.example", UDP, false, "192.0.2.1:5070 192.0.2.2:5070 192.0.2.3:5080"},
		{"trunk.example", TLS, false, "192.0.2.3:5071"},
		{"trunk.example", TLS, true, "192.0.2.9:5061"},
		{"trunk.example:5090", TCP, false, "192.0.2.9:5090"},
		{"a.example", UDP, false, "192.0.2.1:5060 192.0.2.2:5060"},
		{"198.51.100.7", UDP, false, "198.51.100.7:5060"},
		{"[2001:db8::1]:5062", UDP, false, "[2001:db8::1]:5062"},
		{"2001:db8::1", TLS, false, "[2001:db8::1]:5061"},
	} {
		cfg := testConfig(t, func(cfg *Config) {
			cfg.Proxies, cfg.Transport, cfg.NoSRV, cfg.Resolver = []string{c.proxy}, c.transport, c.noSRV, &dns{}
		})
		all, err := newProxies(cfg, newPeers(nil)).list(t.Context())
		var got []string
		for _, a := range all {
			got = append(got, a.addr.String())
		}
		if strings.Join(got, " ") != c.want || err != nil {
			t.Errorf("%s %s: %v, %v", c.proxy, c.transport, got, err)
		}
	}
}

func TestMarks(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	names := &dns{}
	cfg := testConfig(t, func(cfg *Config) {
		cfg.Proxies, cfg.Resolver, cfg.Now = []string{"a.example", "b.example"}, names, func() time.Time { return now }
	})
	p := newProxies(cfg, newPeers(nil))
	order := func() (s string) {
		all, err := p.list(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range all {
			ip := a.addr.Addr().As4()
			s += string(rune('0' + ip[3]))
		}
		return s
	}
	check := func(want string) {
		t.Helper()
		if got := order(); got != want {
			t.Errorf("order %s, want %s", got, want)
		}
	}
	check("123")
	one, three := netip.MustParseAddrPort("192.0.2.1:5060"), netip.MustParseAddrPort("192.0.2.3:5060")
	p.down(one, 10*time.Second, reasonRetryAfter)
	check("231")
	p.alive(one) // an answer does not end what Retry-After asked for
	p.pinged(one, time.Millisecond, "")
	check("231")
	now = now.Add(11 * time.Second)
	check("123")
	p.pinged(three, 0, reasonSilent)
	p.down(one, time.Minute, reasonSilent)
	check("213")
	p.pinged(one, time.Millisecond, "")
	check("123")
	names.down = true
	now = now.Add(time.Hour)
	check("123") // what was known stays while DNS fails
	if !slices.ContainsFunc(p.state(), func(s Proxy) bool { return s.Addr == three && !s.Up && s.Reason == reasonSilent }) {
		t.Errorf("%+v", p.state())
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	good := Config{Proxies: []string{"a"}, Open: func() (Stream, error) { return nil, nil }}
	for name, change := range map[string]func(*Config){
		"no proxy":     func(c *Config) { c.Proxies = nil },
		"no media":     func(c *Config) { c.Open = nil },
		"bad port":     func(c *Config) { c.Proxies = []string{"a:x"} },
		"bad proxy":    func(c *Config) { c.Proxies = []string{"sip:a@b"} },
		"transport":    func(c *Config) { c.Transport = "sctp" },
		"srtp":         func(c *Config) { c.SRTP = "maybe" },
		"header":       func(c *Config) { c.Headers = []Header{{"To", "x"}} },
		"line end":     func(c *Config) { c.Headers = []Header{{"X", "a\r\nVia: b"}} },
		"display":      func(c *Config) { c.Display = "a\"b" },
		"register":     func(c *Config) { c.Register.On = true },
		"event number": func(c *Config) { c.EventPT = 5 },
		"several names": func(c *Config) {
			c.Transport, c.Proxies = TLS, []string{"a", "b"}
		},
		"ca": func(c *Config) { c.Transport, c.TLS.CA = TLS, []byte("x") },
	} {
		cfg := good
		change(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if s := fmt.Sprintf("%v %+v %#v", Auth{User: "alice", Password: "pw"}, Config{Auth: Auth{Password: "secret-pw"}}, Auth{Password: "secret-pw"}); strings.Contains(s, "pw") {
		t.Error("a password is printed")
	}
}
