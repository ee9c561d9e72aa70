package app_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pincall/pincall/client"
	"github.com/pincall/pincall/internal/app"
	"github.com/pincall/pincall/xoxzo/xoxzotest"
)

// writePair writes a certificate of its own, and its key.
func writePair(t *testing.T, cert, key string, serial int64, until time.Time) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: until, DNSNames: []string{"verify.example.com"}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// The certificate is taken from the files, also when they change, and whoever
// reads the folder can reach the server by it.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePair(t, cert, key, 1, time.Now().Add(time.Hour))
	r := run(t, dir, "tls: {cert: "+cert+", key: "+key+"}\nsim: {pace: fast}\n", nil)
	if addr, ok := app.RunningServer(dir); !ok || addr != "https://"+r.main.Addr() || app.RunningCertificate(dir) != cert {
		t.Fatalf("found %s, known by %s", addr, app.RunningCertificate(dir))
	}
	get := func(cfg *tls.Config) (int64, error) {
		c := http.Client{Transport: &http.Transport{TLSClientConfig: cfg, DisableKeepAlives: true}, Timeout: 10 * time.Second}
		res, err := c.Get("https://" + r.main.Addr() + "/healthz")
		if err != nil {
			return 0, err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("status %d", res.StatusCode)
		}
		return res.TLS.PeerCertificates[0].SerialNumber.Int64(), nil
	}
	if n, err := get(app.PinnedTLS(cert)); n != 1 || err != nil {
		t.Errorf("certificate %d, %v", n, err)
	}
	if _, err := get(nil); err == nil {
		t.Error("a certificate that nobody vouches for is believed")
	}
	old := app.PinnedTLS(cert)
	old.MaxVersion, old.MinVersion = tls.VersionTLS11, tls.VersionTLS10
	if _, err := get(old); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	// Half of a change is not used.
	if err := os.WriteFile(key, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond) // the files are looked at once a second
	if n, err := get(app.PinnedTLS(cert)); n != 1 || err != nil {
		t.Errorf("during the change: certificate %d, %v", n, err)
	}
	writePair(t, cert, key, 2, time.Now().Add(time.Hour))
	time.Sleep(1100 * time.Millisecond)
	if n, err := get(app.PinnedTLS(cert)); n != 2 || err != nil {
		t.Errorf("after the change: certificate %d, %v", n, err)
	}
	if _, err := http.Get("http://" + r.main.Addr() + "/healthz"); err == nil {
		t.Log("plain HTTP gets an answer, which says that TLS is wanted")
	}
}

func TestBadCertificates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key, bad := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "bad.pem")
	writePair(t, cert, key, 1, time.Now().Add(time.Hour))
	if err := os.WriteFile(bad, []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	for config, want := range map[string]string{
		"tls: {cert: " + cert + "}":                              "tls: name both files",
		"tls: {cert: " + dir + "/none.pem, key: " + key + "}":    "tls.cert: ",
		"tls: {cert: " + cert + ", key: " + dir + "/none.pem}":   "tls.key: ",
		"tls: {cert: " + bad + ", key: " + key + "}":             "cannot be used together",
		"trusted_proxies: [10.0.0.0/40]":                         "trusted_proxies[0]",
		"trusted_proxies: [10.0.0.1, proxy]":                     "trusted_proxies[1]",
		"metrics_listen: 9420":                                   "metrics_listen",
		"log: {format: xml}":                                     "log.format",
		"log: {level: loud}":                                     "log.level",
		"log: {level: info+1}":                                   "log.level",
		"retention: 1h":                                          "retention",
		"listen: 127.0.0.1:http":                                 "listen: write HOST:PORT",
		"guard: {calls_per_day: 1}\nlog: {level: 5}\nrubbish: 1": "unknown option rubbish (line 3)",
	} {
		file := filepath.Join(t.TempDir(), "pincall.yaml")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := app.New(t.Context(), app.Config{Data: filepath.Join(t.TempDir(), "data"), ConfigFile: file, Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			m.Close()
			t.Errorf("%s: accepted", config)
		} else if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", config, err)
		}
	}
}

// The flag goes before the environment, the environment before the file.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ flag, env, want string }{{"", "", "127.0.0.1:0"}, {"", "[::1]:0", "[::1]:"}, {"127.0.0.2:0", "[::1]:0", "127.0.0.2:"}} {
		dir := t.TempDir()
		file := filepath.Join(t.TempDir(), "other.yaml")
		if err := os.WriteFile(file, []byte("listen: 127.0.0.1:0"), 0o600); err != nil {
			t.Fatal(err)
		}
		env := map[string]string{"PINCALL_CONFIG": file, "PINCALL_LISTEN": row.env}
		m, err := app.New(t.Context(), app.Config{
			Listen: row.flag, Data: dir, Getenv: func(k string) string { return env[k] }, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			if row.env != "" && row.flag == "" {
				t.Logf("no IPv6 here: %v", err)
				continue
			}
			t.Fatal(err)
		}
		if !strings.HasPrefix(m.Addr(), strings.TrimSuffix(row.want, "0")) {
			t.Errorf("%+v: listens on %s", row, m.Addr())
		}
		m.Close()
	}
}

// scrape gives the metrics.
func (r *running) scrape() string {
	r.t.Helper()
	res, err := http.Get("http://" + r.main.MetricsAddr() + "/metrics")
	r.ok(err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	r.ok(err)
	return string(b)
}

// The metrics tell what happened, on an address of their own, and nothing in
// them tells to whom.
func TestMetrics(t *testing.T) {
	t.Parallel()
	x := xoxzotest.New(t)
	config, env := xoxzoConfig(x)
	r := run(t, t.TempDir(), config+"metrics_listen: 127.0.0.1:0\n", env)
	v := r.begin(client.StartRequest{To: "+818012345678", Locale: "en"})
	_, err := r.Start(t.Context(), client.StartRequest{To: "+447400123456"})
	if err == nil {
		t.Error("the country is on no list")
	}
	r.until(v.ID, "the call's end", attemptEnded)
	_, err = r.Check(t.Context(), v.ID, client.CheckRequest{Code: "000000"})
	r.ok(err)
	_, err = r.Cancel(t.Context(), v.ID)
	r.ok(err)
	if _, err = r.Check(t.Context(), v.ID, client.CheckRequest{Code: "000000"}); err == nil {
		t.Error("it has ended")
	}
	text := r.scrape()
	for _, want := range []string{
		`pincall_starts_total{channel="voice",code="started"} 1`,
		`pincall_starts_total{channel="none",code="country_not_allowed"} 1`,
		`pincall_limits_total{rule="country_not_allowed"} 1`,
		`pincall_checks_total{result="wrong"} 1`,
		`pincall_checks_total{result="ended"} 1`,
		`pincall_attempts_total{channel="voice",country="JP",outcome="answered",route="xoxzo"} 1`,
		`pincall_call_answered_seconds_count 1`,
		`pincall_start_to_dial_seconds_count{channel="voice"} 1`,
		`pincall_queue_jobs{state="due"} 0`,
		`pincall_queue_jobs{state="waiting"} 0`,
		`pincall_attempts_in_progress 0`,
		`pincall_http_requests_total{method="POST",route="/v1/verifications",status="403"} 1`,
		`pincall_http_request_seconds_count{method="POST",route="/v1/verifications/{id}/check"} 2`,
		`go_goroutines `, `process_open_fds `,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	labels := regexp.MustCompile(`"[^"]*"`).FindAllString(text, -1)
	for _, l := range labels {
		if regexp.MustCompile(`\d{5}`).MatchString(l) && !strings.Contains(l, "devel") || strings.Contains(l, v.ID) || strings.Contains(l, "pck_") {
			t.Errorf("the label %s tells too much", l)
		}
	}
	res, err := http.Get("http://" + r.main.Addr() + "/metrics")
	r.ok(err)
	res.Body.Close()
	if res.StatusCode != http.StatusNotFound {
		t.Errorf("the metrics are on the public listener: %d", res.StatusCode)
	}
}

// A server that stops lets the call in progress end, within its time; then it
// hangs up. Nothing new is taken, and what became of the call is on record.
func TestGracefulStop(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		to, stopAfter, outcome string
		atLeast, atMost        time.Duration
	}{
		"ends by itself": {"+14155550105", "90s", "rejected", 0, time.Minute},
		"is hung up":     {"+14155550102", "500ms", "canceled", 400 * time.Millisecond, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			r := run(t, dir, "stop_after: "+tt.stopAfter+"\n", nil)
			v := r.begin(client.StartRequest{To: tt.to})
			r.until(v.ID, "the ringing", func(v client.Verification) bool { return v.Attempts[0].State == "ringing" })
			began := time.Now()
			r.stop()
			if took := time.Since(began); took < tt.atLeast || took > tt.atMost {
				t.Errorf("stopped after %v", took)
			}
			if _, err := r.Get(t.Context(), v.ID); err == nil {
				t.Error("requests are still taken")
			}
			again := run(t, dir, "", nil)
			got, err := again.Get(t.Context(), v.ID)
			again.ok(err)
			if a := got.Attempts[0]; a.State != "ended" || a.Outcome != tt.outcome {
				t.Errorf("%s, %s, want %s", a.State, a.Outcome, tt.outcome)
			}
		})
	}
}

// The log is written as the file says, and as the flag says before it.
func TestLog(t *testing.T) {
	t.Parallel()
	for flag, want := range map[string]string{"": `{"time"`, "text": "time="} {
		dir, log := t.TempDir(), &buffer{}
		if err := os.WriteFile(filepath.Join(dir, "pincall.yaml"), []byte("log: {format: json}\nguard: {countries: []}"), 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := app.New(t.Context(), app.Config{Listen: "0.0.0.0:0", Data: dir, LogFormat: flag, Stderr: log})
		if err != nil {
			t.Fatal(err)
		}
		m.Close()
		if !strings.HasPrefix(log.String(), want) || !strings.Contains(log.String(), "without TLS") {
			t.Errorf("%q: %s", flag, log.String())
		}
	}
}
