package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/app"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/store/sqlite"
)

// aFolder is a data folder in which a server has run, and nothing is wrong.
func aFolder(t *testing.T, services ...account.Service) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if len(services) > 0 {
		keys, _, err := secret.LoadOrCreateKeyring(filepath.Join(dir, "keyring.json"))
		if err != nil {
			t.Fatal(err)
		}
		s, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(dir, "pincall.db"), KeyCheck: keys.CheckValue()})
		if err != nil {
			t.Fatal(err)
		}
		for _, svc := range services {
			if err := s.InsertAccount(t.Context(), account.Account{ID: svc.Account, Name: svc.Account, CreatedAt: time.Now()}, svc); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	m, _ := start(t, dir)
	m.Close()
	if err := os.Remove(filepath.Join(dir, "api-key")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// look gives the doctor's lines about a folder, and sees to it that looking
// changed nothing.
func look(t *testing.T, dir, config string, env map[string]string) []string {
	t.Helper()
	if config != "" {
		if err := os.WriteFile(filepath.Join(dir, "pincall.yaml"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	state := func() (out []string) {
		_ = filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
			if err == nil && !info.IsDir() && !strings.HasSuffix(path, "-shm") { // readers' marks
				out = append(out, fmt.Sprint(path, info.Size(), info.ModTime(), info.Mode()))
			}
			return nil
		})
		return out
	}
	before := state()
	// A voice for every language, whatever is installed here. It is not asked.
	voice := map[string]string{"PINCALL_VOICES_ENGINES_0_NAME": "http", "PINCALL_VOICES_ENGINES_0_URL": "http://127.0.0.1:9/v1"}
	getenv := func(k string) string {
		if v, ok := env[k]; ok {
			return v
		}
		return voice[k]
	}
	lines, err := app.Doctor(t.Context(), app.Config{Data: dir, Getenv: getenv})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, state()); diff != "" {
		t.Errorf("looking changed something: %s", diff)
	}
	for _, l := range lines {
		if strings.Contains(l, "\n") || !strings.Contains(l, ": ") {
			t.Errorf("no line of its own, or without a subject: %q", l)
		}
	}
	return lines
}

func TestDoctorFindsNothing(t *testing.T) {
	t.Parallel()
	dir := aFolder(t)
	if lines := look(t, dir, "", nil); len(lines) != 0 {
		t.Errorf("found %q", lines)
	}
	m, _ := start(t, dir) // and while a server runs
	defer m.Close()
	if lines := look(t, dir, "", nil); len(lines) != 0 {
		t.Errorf("found %q", lines)
	}
}

func TestDoctorOnConfigurations(t *testing.T) {
	t.Parallel()
	const xoxzo = "routes: [{carrier: xoxzo, caller: '815012345678'}]\n"
	ready := map[string]string{"XOXZO_API_SID": "s", "XOXZO_API_AUTH_TOKEN": "t"}
	dir := aFolder(t)
	certs := t.TempDir()
	cert, key := filepath.Join(certs, "cert.pem"), filepath.Join(certs, "key.pem")
	writePair(t, cert, key, 1, time.Now().Add(24*time.Hour))
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	// Each has exactly the lines that begin so.
	for _, row := range []struct {
		config string
		env    map[string]string
		want   []string
	}{
		{"sim: {pace: fast}", nil, nil},
		{"listne: x", nil, []string{"configuration: "}},
		{"guard: {countries: [UK]}", nil, []string{"configuration: guard.countries[0]"}},
		{"listen: 0.0.0.0:8420", nil, []string{"listen: plain HTTP"}},
		{"listen: 0.0.0.0:8420\ntls: {cert: " + cert + ", key: " + key + "}", nil, []string{"tls.cert: the certificate ends", "tls.key: other users"}},
		{"tls: {cert: " + cert + ", key: " + cert + "}", nil, []string{"configuration: tls: "}},
		{"metrics_listen: 0.0.0.0:9420", nil, []string{"metrics_listen: "}},
		{"public_url: http://verify.example.com", nil, []string{"public_url: "}},
		{"trusted_proxies: [10.0.0.0/8, 0.0.0.0/0]", nil, []string{"trusted_proxies[1]: "}},
		{"retention: forever", nil, []string{"retention: "}},
		{"guard: {starts_per_number: 10/1m, calls_per_day: 1000000}", nil, []string{"guard.starts_per_number: ", "guard.calls_per_day: "}},
		{"guard: {countries: [JP]}\n" + xoxzo, ready, []string{"service default: route xoxzo takes no keys"}},
		{xoxzo, ready, []string{"guard.countries: ", "service default: "}},
		{"guard: {countries: [JP]}\n" + xoxzo, nil, []string{"route xoxzo: XOXZO_API_SID", "route xoxzo: XOXZO_API_AUTH_TOKEN", "service default: "}},
		{"guard: {countries: [JP]}\nroutes: [{carrier: xoxzo, sender: A, base_url: 'http://example.com/x'}]", ready, []string{"configuration: routes[0]: base_url: use https"}},
	} {
		got := look(t, dir, row.config, row.env)
		same := slices.EqualFunc(got, row.want, func(g, w string) bool { return strings.HasPrefix(g, w) })
		if !same {
			t.Errorf("%s:\n got %q\nwant %q", row.config, got, row.want)
		}
	}
}

func TestDoctorOnFolders(t *testing.T) {
	t.Parallel()
	in := func(name string) func(string) string {
		return func(dir string) string { return filepath.Join(dir, name) }
	}
	db, ring, key := in("pincall.db"), in("keyring.json"), in("api-key")
	newKey := func(t *testing.T, dir string, s account.Scope) {
		a, err := app.OpenAdminExisting(t.Context(), app.Config{Data: dir})
		if err != nil {
			t.Fatal(err)
		}
		tok, _, err := a.NewKey(t.Context(), app.DefaultAccount, "test", []account.Scope{s})
		if err != nil {
			t.Fatal(err)
		}
		must(t, a.Close())
		must(t, os.WriteFile(key(dir), []byte(tok.Reveal()+"\n"), 0o600))
	}
	for name, row := range map[string]struct {
		breaks func(t *testing.T, dir string)
		want   string
	}{
		"no folder":     {func(t *testing.T, dir string) { must(t, os.RemoveAll(dir)) }, "data folder: there is no"},
		"open folder":   {func(t *testing.T, dir string) { must(t, os.Chmod(dir, 0o755)) }, "data folder: other users"},
		"open database": {func(t *testing.T, dir string) { must(t, os.Chmod(db(dir), 0o644)) }, "pincall.db: other users"},
		"no database":   {func(t *testing.T, dir string) { must(t, os.Remove(db(dir))) }, "database: there is none"},
		"no database at all": {func(t *testing.T, dir string) {
			must(t, os.WriteFile(db(dir), []byte("not a database, but a text"), 0o600))
		},
			"database: read the database"},
		"open keyring":  {func(t *testing.T, dir string) { must(t, os.Chmod(ring(dir), 0o640)) }, "keyring: load keyring: "},
		"no keyring":    {func(t *testing.T, dir string) { must(t, os.Remove(ring(dir))) }, "keyring: "},
		"other keyring": {func(t *testing.T, dir string) { must(t, os.Rename(ring(aFolder(t)), ring(dir))) }, "keyring: "},
		"clock": {func(t *testing.T, dir string) {
			at := time.Now().Add(time.Hour)
			must(t, os.Chtimes(db(dir), at, at))
		}, "clock: it is 1h0m0s behind"},
		"admin key": {func(t *testing.T, dir string) { newKey(t, dir, account.ScopeAdmin) }, "api-key: a key with the scope admin"},
		"dead key": {func(t *testing.T, dir string) {
			must(t, os.WriteFile(key(dir), []byte("pck_abc_def"), 0o600))
		}, "api-key: the key in it does not work"},
		"no key":       {func(t *testing.T, dir string) { must(t, os.WriteFile(key(dir), []byte("words"), 0o600)) }, "api-key: it holds no API key"},
		"harmless key": {func(t *testing.T, dir string) { newKey(t, dir, account.ScopeVerify) }, ""},
		"large log": {func(t *testing.T, dir string) {
			must(t, os.WriteFile(db(dir)+"-wal", nil, 0o600))
			must(t, os.Truncate(db(dir)+"-wal", 300<<20))
		}, "database: its log has 300 MB"},
		"a command works": {func(t *testing.T, dir string) {
			m, _ := start(t, dir)
			t.Cleanup(func() { m.Close() })
			must(t, os.Remove(filepath.Join(dir, "address")))
			_ = os.Remove(key(dir))
		}, "lock: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := aFolder(t)
			row.breaks(t, dir)
			got := look(t, dir, "", nil)
			if row.want == "" && len(got) == 0 {
				return
			}
			if len(got) != 1 || row.want == "" || !strings.HasPrefix(got[0], row.want) {
				t.Errorf("got %q, want one line: %s", got, row.want)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestDoctorOnServices(t *testing.T) {
	t.Parallel()
	dir := aFolder(t,
		account.Service{ID: "default", Account: "default", CodeLength: 4, GatePolicy: account.GateRequire},
		account.Service{ID: "shop", Account: "other", Gate: "none"},
		account.Service{ID: "fine", Account: "third", Workflow: []account.Step{{Channel: "sms", Timeout: time.Minute}}})
	got := look(t, dir, "guard: {countries: [JP]}\nroutes: [{carrier: xoxzo, caller: '81', sender: A}]", map[string]string{"XOXZO_API_SID": "s", "XOXZO_API_AUTH_TOKEN": "t"})
	want := []string{"service default: codes of 4 digits", "service other/shop: it reads the code to whatever answers"}
	if !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("got %q, want %q", got, want)
	}
}
