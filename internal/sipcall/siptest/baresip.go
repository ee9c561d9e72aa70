package siptest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/audio"
)

// baresip is Debian's baresip 1.0. What it records equals what was sent sample
// for sample, without the last 100 ms, which its jitter buffer holds.
type baresip struct {
	*program
	addr   string
	ctrl   net.Conn
	events chan string // types
}

// Baresip starts a baresip (baresip-core). The test is skipped where it is not
// installed.
func Baresip(t testing.TB, h Handset) Phone {
	t.Helper()
	at := find(t, "baresip", "baresip-core")
	dir, port := t.TempDir(), Ports(t, 16)
	put(t, baresipConfig(t, h, dir, port), dir, "cfg", "config")
	put(t, baresipAccount(h, port), dir, "cfg", "accounts")
	put(t, "", dir, "cfg", "contacts")
	put(t, "", dir, "rec", "kept")
	b := &baresip{
		program: launch(t, dir, stdio{}, at, "-f", filepath.Join(dir, "cfg"), "-v"),
		addr:    loopback(port), events: make(chan string, 64),
	}
	if h.TLS != nil {
		b.addr = loopback(port + 1)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("baresip:\n" + b.read("out"))
		}
	})
	b.listening("tcp", port+2) // its last module
	b.connect(port + 2)
	return b
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// baresipConfig sets it up without hardware: it listens at port and, for TLS, at
// the next one; port+2 is for commands, the rest for sound. net_interface takes
// the address only: "lo" is refused.
func baresipConfig(t testing.TB, h Handset, dir string, port int) string {
	t.Helper()
	lines := []string{
		"poll_method epoll", "sip_trans_def udp", "call_local_timeout 120", "call_max_calls 8",
		"sip_listen " + loopback(port), "ctrl_tcp_listen " + loopback(port+2), fmt.Sprintf("rtp_ports %d-%d", port+4, port+15),
		"audio_path /usr/share/baresip", "audio_player aubridge,sink", "audio_source aufile," + putSilence(t, dir), "audio_alert aubridge,alert",
		"ausrc_srate 8000", "auplay_srate 8000", "ausrc_channels 1", "auplay_channels 1", "audio_level no",
		"rtp_tos 184", "rtcp_mux no", "jitter_buffer_delay 5-10", "rtp_stats yes", "net_interface 127.0.0.1",
		"ring_aufile none", "ringback_disabled yes", "snd_path " + filepath.Join(dir, "rec"), "module_path /usr/lib/baresip/modules",
	}
	for _, m := range []string{"g711", "sndfile", "aufile", "ausine", "aubridge", "srtp"} {
		lines = append(lines, "module "+m+".so")
	}
	lines = append(lines, "module_tmp uuid.so", "module_tmp account.so", "module_app menu.so", "module_app ctrl_tcp.so")
	if h.TLS != nil {
		lines = append(lines, "sip_certificate "+put(t, string(h.TLS.Key)+string(h.TLS.Cert), dir, "own.pem"))
	}
	return strings.Join(lines, "\n") + "\n"
}

func baresipAccount(h Handset, port int) string {
	var codecs []string
	for _, c := range codecNames(h.Codecs) {
		codecs = append(codecs, c+"/8000/1")
	}
	user := or(h.Number != "", h.Number, "callee")
	uri := fmt.Sprintf("<sip:%s@%s>", user, loopback(port))
	if h.TLS != nil {
		uri = fmt.Sprintf("<sip:%s@%s;transport=tls>", user, loopback(port+1))
	}
	a := uri + ";regint=0;answermode=auto;dtmfmode=rtpevent;audio_codecs=" + strings.Join(codecs, ",")
	if h.SRTP {
		a += ";mediaenc=srtp-mand"
	}
	return a + "\n"
}

// connect opens its one connection for commands and events: a second one would
// throw the first one out.
func (b *baresip) connect(port int) {
	b.t.Helper()
	conn, err := net.DialTimeout("tcp", loopback(port), Patience)
	if err != nil {
		b.t.Fatalf("siptest: baresip: %v", err)
	}
	b.ctrl = conn
	b.t.Cleanup(func() { _ = conn.Close() })
	go b.listen(bufio.NewReader(conn))
}

// listen reads netstrings of JSON until the connection ends.
func (b *baresip) listen(r *bufio.Reader) {
	defer close(b.events)
	for {
		head, err := r.ReadString(':')
		n, bad := strconv.Atoi(strings.TrimSuffix(head, ":"))
		if err != nil || bad != nil {
			return
		}
		text := make([]byte, n+1) // with the comma
		if _, err := io.ReadFull(r, text); err != nil {
			return
		}
		var e struct {
			Event bool   `json:"event"`
			Type  string `json:"type"`
		}
		if json.Unmarshal(text[:n], &e) != nil || !e.Event {
			continue
		}
		select {
		case b.events <- e.Type:
		default: // nobody wants so many
		}
	}
}

func (b *baresip) command(name, params string) {
	b.t.Helper()
	text, err := json.Marshal(map[string]string{"command": name, "params": params})
	if err == nil {
		_, err = fmt.Fprintf(b.ctrl, "%d:%s,", len(text), text)
	}
	if err != nil {
		b.t.Errorf("siptest: baresip: %v", err)
	}
}

func (b *baresip) Addr() string   { return b.addr }
func (b *baresip) Answered()      { b.t.Helper(); b.event(b.events, "CALL_ESTABLISHED") }
func (b *baresip) Ended()         { b.t.Helper(); b.event(b.events, "CALL_CLOSED") }
func (b *baresip) Hangup()        { b.t.Helper(); b.command("hangup", "") }
func (b *baresip) Press(key byte) { b.t.Helper(); b.command("sndcode", string(key)) }

func (b *baresip) Recording() audio.Sound {
	b.t.Helper()
	b.command("quit", "")
	if err := b.wait(5 * time.Second); err != nil {
		b.t.Logf("siptest: baresip did not end by itself: %v", err)
	}
	files, _ := filepath.Glob(filepath.Join(b.dir, "rec", "dump-*-dec.wav"))
	if len(files) == 0 {
		b.t.Fatal("siptest: baresip recorded nothing")
	}
	return recorded(b.t, files[0])
}
