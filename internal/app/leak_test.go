package app_test

import (
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pincall/pincall/client"
	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/store/postgres/pgtest"
	"github.com/pincall/pincall/internal/store/sqlite"
	"github.com/pincall/pincall/xoxzo/xoxzotest"
)

// tenDigits makes the default service draw codes that nothing else looks like.
func tenDigits(t *testing.T, dir string) {
	t.Helper()
	if _, _, err := secret.LoadOrCreateKeyring(filepath.Join(dir, "keyring.json")); err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(dir, "pincall.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.InsertAccount(t.Context(), account.Account{ID: "default", Name: "Default", CreatedAt: time.Now()}, tenDigitService()); err != nil {
		t.Fatal(err)
	}
}

func tenDigitService() account.Service {
	return account.Service{ID: "default", Account: "default", Name: "Default", CodeLength: 10}
}

// forms are what a code or number looks like where it leaked.
func forms(code, to string) map[string]string {
	spaced := func(sep string) string { return strings.Join(strings.Split(code, ""), sep) }
	out := map[string]string{
		"digits": code, "with spaces": spaced(" "), "with commas": spaced(","), "with commas and spaces": spaced(", "),
		"with dashes": spaced("-"), "with dots": spaced("."), "as a JSON list": spaced(`","`),
		"base64": base64.StdEncoding.EncodeToString([]byte(code))[:12], "hex": hex.EncodeToString([]byte(code)),
		"number": to[1:], "national number": to[3:], "number in base64": base64.StdEncoding.EncodeToString([]byte(to))[:14],
		"number in hex": hex.EncodeToString([]byte(to[1:])),
	}
	words := strings.Fields("zero one two three four five six seven eight nine")
	var english []string
	for _, d := range code[:4] {
		english = append(english, words[d-'0'])
	}
	out["words"] = strings.Join(english, " ")
	out["words with commas"] = strings.Join(english, ", ")
	out["words with their carrier word"] = "number " + strings.Join(english, ", number ")
	return out
}

// search looks for a leak in what the process wrote.
func search(t *testing.T, where, text string, leaks map[string]string) {
	t.Helper()
	for what, s := range leaks {
		if strings.Contains(strings.ToLower(text), strings.ToLower(s)) {
			t.Errorf("%s: the %s", where, what)
		}
	}
}

// searchKept looks into every file of the data folder (database, WAL, job rows),
// and into a shared database.
func (r *running) searchKept(when string, leaks map[string]string) {
	r.t.Helper()
	files, err := os.ReadDir(r.dir)
	r.ok(err)
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(r.dir, f.Name()))
		if err != nil {
			continue // a temporary file that is gone
		}
		search(r.t, when+": "+f.Name(), string(b), leaks)
	}
	if r.dump != nil {
		search(r.t, when+": database", r.dump(), leaks)
	}
}

// The code, the number and the client token are found nowhere: not while the
// call rings, not after the approval, on the simulator as on a carrier.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	for engine, begin := range map[string]func(t *testing.T, config string, env map[string]string) *running{
		"sqlite": func(t *testing.T, config string, env map[string]string) *running {
			dir := t.TempDir()
			tenDigits(t, dir)
			return run(t, dir, config, env)
		},
		"postgres": func(t *testing.T, config string, env map[string]string) *running {
			return newShared(t, pgtest.Shared(t), tenDigitService()).run(config, env)
		},
	} {
		t.Run(engine+"/simulator", func(t *testing.T) {
			t.Parallel()
			leaksOfSimulator(t, begin(t, "sim: {pace: fast}\n", nil))
		})
		t.Run(engine+"/xoxzo", func(t *testing.T) {
			t.Parallel()
			x := xoxzotest.New(t)
			config, env := xoxzoConfig(x)
			leaksOfXoxzo(t, begin(t, config, env), x)
		})
	}
}

func leaksOfSimulator(t *testing.T, r *running) {
	t.Helper()
	const to = "+818012345678"
	v := r.begin(client.StartRequest{To: to, Locale: "en", Gate: "any_key", Brand: "Acme"})
	r.until(v.ID, "ringing", func(v client.Verification) bool { return v.Attempts[0].State == "ringing" })
	r.ok(r.Phone(to).Answer(t.Context()))
	r.ok(r.Phone(to).Press(t.Context(), "1"))
	var heard []string
	r.until(v.ID, "a readout", func(client.Verification) bool {
		s, err := r.Phone(to).State(t.Context())
		r.ok(err)
		heard = s.Heard
		return strings.Contains(strings.Join(heard, " "), "I repeat")
	})
	codes, err := script.ReadBack(strings.Join(heard, ". "), "en", 10)
	if err != nil || len(codes) == 0 {
		t.Fatalf("nothing read back: %v", err)
	}
	r.approveAndSearch(v, codes[0], to)
}

func leaksOfXoxzo(t *testing.T, r *running, x *xoxzotest.Server) {
	t.Helper()
	const to = "+818087654321"
	v := r.begin(client.StartRequest{To: to, Locale: "en"})
	r.until(v.ID, "the call", func(client.Verification) bool { return len(x.Calls()) == 1 })
	codes, err := script.ReadBack(x.Calls()[0].Message, "en", 10)
	if err != nil {
		t.Fatal(err)
	}
	leaks := forms(codes[0], to)
	leaks["auth token"] = x.AuthToken
	search(t, "log", r.log.String(), leaks)
	r.approveAndSearch(v, codes[0], to)
}

// approveAndSearch searches before and after the approval, and what the API
// answered.
func (r *running) approveAndSearch(v client.Verification, code, to string) {
	r.t.Helper()
	leaks := forms(code, to)
	leaks["client token"] = v.ClientToken.Reveal()
	r.searchKept("pending", leaks)
	wrong := string('0'+(code[0]-'0'+1)%10) + code[1:]
	for _, guess := range []string{wrong, code} {
		_, err := r.Check(r.t.Context(), v.ID, client.CheckRequest{Code: client.Secret(guess)})
		r.ok(err)
	}
	key, err := os.ReadFile(r.main.KeyFile())
	r.ok(err)
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, "http://"+r.main.Addr()+"/v1/verifications/"+v.ID, nil)
	r.ok(err)
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(key)))
	res, err := http.DefaultClient.Do(req)
	r.ok(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	r.ok(err)
	if !strings.Contains(string(body), `"approved"`) {
		r.t.Errorf("status %d", res.StatusCode)
	}
	shown := forms(code, to) // the number is shown to the key that sent it
	for _, k := range []string{"number", "national number"} {
		delete(shown, k)
	}
	search(r.t, "the API's answer", string(body), shown)
	r.searchKept("approved", leaks)
	r.stop()
	r.searchKept("stopped", leaks)
	leaks["API key"], leaks["database's password"] = strings.TrimSpace(string(key)), dbPassword
	search(r.t, "log", r.log.String(), leaks)
	search(r.t, "output", r.out.String(), leaks)
}
