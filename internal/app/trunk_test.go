package app

import (
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/carrier/trunk"
	"github.com/pincall/pincall/internal/media"
	"github.com/pincall/pincall/internal/sipcall"
)

func trunkConfig(env map[string]string) Config {
	return Config{Log: slog.New(slog.DiscardHandler), Getenv: func(k string) string { return env[k] }}
}

// parseTrunk reads the options below trunk: of a route.
func parseTrunk(t *testing.T, text string) File {
	t.Helper()
	f := defaultFile()
	f.Voices.Engines = []EngineFile{{Name: noEngine}}
	if err := parseFile([]byte("routes: [{carrier: trunk, name: main, trunk: {"+text+"}}]"), &f); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return f
}

// The example's trunk is one that works, without the files that are not there.
func TestExampleTrunk(t *testing.T) {
	t.Parallel()
	text := regexp.MustCompile(`(?m)^( *)#(\S|  )`).ReplaceAllString(readExample(t), "$1$2")
	f := defaultFile()
	if err := parseFile([]byte(text), &f); err != nil {
		t.Fatal(err)
	}
	route := f.Routes[1]
	if err := route.misplaced(); err != nil {
		t.Error(err)
	}
	x := route.Trunk
	x.TLS.CA, x.TLS.Cert, x.TLS.Key, x.Auth.PasswordFile, x.Callback = "", "", "", "", CallbackFile{}
	got, err := trunkConfig(map[string]string{"TRUNK_PASSWORD": "p", "TRUNK_TOKEN": "s"}).trunk(x, nil)
	if err != nil {
		t.Fatal(err)
	}
	carriers := netip.MustParsePrefix("203.0.113.0/24")
	got.Log, got.Caller.Log, got.Caller.Auth = nil, nil, sipcall.Auth{}
	want := trunk.Config{
		Caller: sipcall.Config{
			Proxies: []string{"sip.example.com"}, Transport: sipcall.TLS, Bind: netip.MustParseAddrPort("0.0.0.0:5060"),
			PublicIP: netip.MustParseAddr("203.0.113.7"), TLS: sipcall.Security{ServerName: "sip.example.com", MinVersion: 0x303},
			Register:   sipcall.Register{On: true, Expires: 5 * time.Minute, ContactUser: "acme"},
			FromDomain: "sip.example.com", Display: "Example", PAI: true, Privacy: "none",
			Headers:   []sipcall.Header{{Name: "X-Customer", Value: "abc"}, {Name: "X-Token", Value: "s"}},
			URIParams: []string{"user=phone"}, Codecs: []audio.Codec{audio.PCMU, audio.PCMA}, EventPT: 101, InfoKeys: true,
			SRTP: sipcall.SRTPRequired, Latch: true,
			SessionTimer:    sipcall.SessionTimer{Expires: 30 * time.Minute, MinSE: 90 * time.Second, Refresher: "uac"},
			OptionsInterval: 30 * time.Second, NoTrying: 4 * time.Second, DownFor: 30 * time.Second,
			Failover: []int{500, 502, 503, 505}, Peers: []netip.Prefix{carriers}, MediaPeers: []netip.Prefix{carriers},
		},
		CallerIDs: []trunk.CallerID{{Number: "+815012345678", Countries: []string{"JP"}}},
		Numbering: trunk.Numbering{Format: trunk.PlusE164, Strip: "+", Prefix: "1234"},
		Countries: []string{"JP", "US"}, CallsPerSecond: 10, Concurrent: 100, RingTimeout: 25 * time.Second,
	}
	opts := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	ports := cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })
	nets := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
	if d := cmp.Diff(want, got, opts, ports, nets, cmp.AllowUnexported(trunk.Callback{})); d != "" {
		t.Error(d)
	}
	wantMedia := media.PoolConfig{
		Bind: netip.IPv4Unspecified(), MinPort: 16384, MaxPort: 32767, Sockets: media.Pooled, Size: 64, DSCP: 46,
	}
	if got := x.mediaConfig(got.Caller.Bind); got != wantMedia {
		t.Errorf("%+v, want %+v", got, wantMedia)
	}
}

// Each mistake is one line that names the option, and tells no secret.
func TestTrunkFaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"SET": "s3cret"}
	for text, want := range map[string]string{
		"":                                                                   "routes[0]: trunk.proxies: ",
		"proxies: [a], transport: sctp":                                      "routes[0]: trunk.transport: choose udp, tcp or tls",
		"proxies: [a], srtp: yes":                                            "routes[0]: trunk.srtp: choose off, optional or required",
		"proxies: [a], privacy: full":                                        "routes[0]: trunk.privacy: ",
		"proxies: [a], number_format: e.164":                                 "routes[0]: trunk.number_format: ",
		"proxies: [a], number_format: national":                              "routes[0]: trunk: number_format: national wants",
		"proxies: [a], bind: here":                                           "routes[0]: trunk.bind: ",
		"proxies: [a], public_ip: here":                                      "routes[0]: trunk.public_ip: ",
		"proxies: [a], peers: [here]":                                        "routes[0]: trunk.peers[0]: ",
		"proxies: [a], media_peers: ['1.2.3']":                               "routes[0]: trunk.media_peers[0]: ",
		"proxies: [a], codecs: [opus]":                                       "routes[0]: trunk.codecs[0]: ",
		"proxies: [a], failover: [200]":                                      "routes[0]: trunk.failover[0]: ",
		"proxies: [a], countries: [Japan]":                                   "routes[0]: trunk.countries[0]: ",
		"proxies: [a], max_cps: -1":                                          "routes[0]: trunk.max_cps: ",
		"proxies: [a], ring_timeout: -1s":                                    "routes[0]: trunk.ring_timeout: ",
		"proxies: [a], dtmf: {payload_type: 8}":                              "routes[0]: trunk.dtmf.payload_type: ",
		"proxies: [a], rtp: {min_port: 5, max_port: 5}":                      "routes[0]: trunk.rtp.max_port: ",
		"proxies: [a], rtp: {dscp: 64}":                                      "routes[0]: trunk.rtp.dscp: ",
		"proxies: [a], rtp: {sockets: many}":                                 "routes[0]: trunk.rtp.sockets: ",
		"proxies: [a], tls: {cert: x}":                                       "routes[0]: trunk.tls: ",
		"proxies: [a], tls: {ca: /nowhere/ca.pem}":                           "routes[0]: trunk.tls.ca: ",
		"proxies: [a], tls: {min_version: '1.1'}":                            "routes[0]: trunk.tls.min_version: ",
		"proxies: [a], auth: {user: u}":                                      "routes[0]: trunk.auth: ",
		"proxies: [a], auth: {user: u, password_env: UNSET}":                 "routes[0]: trunk.auth.password_env: ",
		"proxies: [a], auth: {user: u, password_env: SET, password_file: x}": "routes[0]: trunk.auth: ",
		"proxies: [a], auth: {user: u, password_file: " + empty + "}":        "routes[0]: trunk.auth.password_file: ",
		"proxies: [a], headers: [{name: X, value: a, value_env: SET}]":       "routes[0]: trunk.headers[0]: ",
		"proxies: [a], headers: [{name: X, value_env: UNSET}]":               "routes[0]: trunk.headers[0].value_env: ",
		"proxies: [a], headers: [{name: Via, value_env: SET}]":               "routes[0]: trunk: sipcall: header",
		"proxies: ['a b']":                                                   "routes[0]: trunk: sipcall: proxy",
		"proxies: [a], caller_ids: [{number: me}]":                           "routes[0]: trunk: caller_ids: ",
		"proxies: [a], session_timer: {refresher: me}":                       "routes[0]: trunk.session_timer.refresher: ",
		"proxies: [a], callback: {text: Hello}":                              "routes[0]: trunk.callback.text: no speech engine",
		"proxies: [a], callback: {lang: ja}":                                 "routes[0]: trunk.callback.text: the built-in text is English",
		"proxies: [a], callback: {file: " + empty + "}":                      "routes[0]: trunk.callback.file: ",
		"proxies: [a], transport: tls, tls: {ca: " + empty + "}":             "routes[0]: trunk: sipcall: tls: ",
	} {
		b, err := trunkConfig(env).carriers(parseTrunk(t, text))
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
		if err := b.close(); err != nil {
			t.Error(err)
		}
	}
}

// What is written in the file decides the order and the shares of routes.
func TestRoutesByPriority(t *testing.T) {
	t.Parallel()
	f := defaultFile()
	f.Voices.Engines = []EngineFile{{Name: noEngine}}
	if err := parseFile([]byte(`routes:
- {carrier: trunk, name: last, priority: 2, trunk: {proxies: [a]}}
- {carrier: trunk, name: off, enabled: false}
- {carrier: xoxzo, name: second, priority: 1, caller: "1"}
- {carrier: trunk, name: third, priority: 1, weight: 3, trunk: {proxies: [a]}}
- {carrier: trunk, name: first, trunk: {proxies: [a]}}
`), &f); err != nil {
		t.Fatal(err)
	}
	c := trunkConfig(nil)
	b, err := c.carriers(f)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.close() }()
	var got []string
	for _, r := range b.routes {
		got = append(got, r.Name)
	}
	if d := cmp.Diff([]string{"first", "second", "third", "last"}, got); d != "" {
		t.Error(d)
	}
	if b.routes[2].Weight != 3 {
		t.Errorf("weight %d", b.routes[2].Weight)
	}
	if can := b.routes[0].Carrier.Can(); !can.Voice || !can.Gate || !can.Speaks("en") || can.Payee || can.SMS {
		t.Errorf("%+v", can)
	}
	c.Route = "third"
	one, err := c.carriers(f)
	if err != nil || len(one.routes) != 1 || one.routes[0].Name != "third" {
		t.Errorf("%v, %v", one.routes, err)
	}
	_ = one.close()
}

func TestRouteFaults(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"[{carrier: xoxzo, caller: '1', trunk: {proxies: [a]}}]":      "routes[0]: trunk: only",
		"[{carrier: trunk, caller: '1', trunk: {proxies: [a]}}]":      "routes[0]: caller, sender and base_url",
		"[{carrier: trunk, weight: -1, trunk: {proxies: [a]}}]":       "routes[0]: weight: ",
		"[{carrier: trunk, enabled: false}]":                          "routes: none is enabled",
		"[{carrier: sim}, {carrier: trunk, trunk: {proxies: [a]}}]":   "routes: the simulator cannot stand beside",
		"[{carrier: trunk, trunk: {proxies: [a]}}, {carrier: trunk}]": "routes[1]: two routes have the name",
	} {
		f := defaultFile()
		f.Voices.Engines, f.Sim.Pace = []EngineFile{{Name: noEngine}}, "fast"
		if err := parseFile([]byte("routes: "+text), &f); err != nil {
			t.Fatal(err)
		}
		b, err := trunkConfig(nil).carriers(f)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
		_ = b.close()
	}
}

// A variable that an option names may begin as options' do.
func TestSecretVariables(t *testing.T) {
	t.Parallel()
	f := parseTrunk(t, "proxies: [a], auth: {user: u, password_env: PINCALL_TRUNK_PASSWORD}, headers: [{name: X, value_env: PINCALL_X}]")
	env := []string{"PINCALL_TRUNK_PASSWORD=p", "PINCALL_X=x"}
	if err := overrides(&f, func(string) string { return "" }, env); err != nil {
		t.Error(err)
	}
	if err := overrides(&f, func(string) string { return "" }, []string{"PINCALL_Y=x"}); err == nil {
		t.Error("a variable that sets nothing is accepted")
	}
}

func TestDoctorOnTrunks(t *testing.T) {
	t.Parallel()
	weak := parseTrunk(t, "proxies: [a], srtp: optional, peers: [0.0.0.0/0], rtp: {latch: true}").Routes[0]
	d := &doctor{}
	d.route(weak)
	for _, want := range []string{"signalling is not encrypted", "only if the carrier likes", "travel in clear", "wherever an answer says", "no caller ID", "peers[0]", "latch"} {
		if !strings.Contains(strings.Join(d.lines, "\n"), want) {
			t.Errorf("nothing says %q: %q", want, d.lines)
		}
	}
	strong := parseTrunk(t, "proxies: [a], transport: tls, srtp: required, media_peers: [203.0.113.0/24], caller_ids: [{number: '+1'}]").Routes[0]
	d = &doctor{}
	d.route(strong)
	if len(d.lines) != 0 {
		t.Errorf("%q", d.lines)
	}
}

func TestSpokenIn(t *testing.T) {
	t.Parallel()
	if d := cmp.Diff([]string{"ja", "en", "de"}, spokenIn([]string{"JP", "US", "DE", "GB"})); d != "" {
		t.Error(d)
	}
}
