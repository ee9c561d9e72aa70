package app_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/app"
)

// What cannot work is refused at the start, in one line that names the option,
// and before anything is made.
func TestBadConfigurations(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		"listne: 127.0.0.1:1":                                     "listne",
		"guard: {countries: [UK]}":                                "guard.countries[0]",
		"guard: {countries: [JP, jp]}":                            "guard.countries[1]",
		"guard: {concurrent_calls: 0}":                            "guard.concurrent_calls",
		"guard: {calls_per_day: -1}":                              "guard.calls_per_day",
		"guard: {wrong_per_number: 10}":                           "guard.wrong_per_number",
		"guard: {wrong_per_number: 0/24h}":                        "guard.wrong_per_number",
		"guard: {sends_per_number: 5/day}":                        "guard.sends_per_number",
		"sim: {pace: slow}":                                       "sim.pace",
		"stop_after: -3s":                                         "stop_after",
		"public_url: verify.example.com":                          "public_url",
		"routes: [{carrier: pigeon}]":                             "routes[0]",
		"routes: [{name: x}]":                                     "routes[0]",
		"routes: [{carrier: xoxzo}]":                              "routes[0]",
		"routes: [{carrier: xoxzo, caller: +81x}]":                "routes[0]",
		"routes: [{carrier: sim, name: A/B}]":                     "routes[0]",
		"routes: [{carrier: sim}, {carrier: sim}]":                "routes[1]",
		"routes: [{carrier: sim}, {carrier: xoxzo, caller: '1'}]": "simulator",
		"listen: 127.0.0.1:0\n---\nlisten: 127.0.0.1:1":           "second document",
		"routes: 5": "pincall.yaml",
	} {
		file := filepath.Join(t.TempDir(), "pincall.yaml")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		data := filepath.Join(t.TempDir(), "data")
		m, err := app.New(t.Context(), app.Config{
			Listen: "127.0.0.1:0", Data: data, ConfigFile: file, Log: slog.New(slog.DiscardHandler),
			Getenv: func(k string) string { return map[string]string{"XOXZO_API_SID": "s", "XOXZO_API_AUTH_TOKEN": "t"}[k] },
		})
		if err == nil {
			m.Close()
			t.Errorf("%q: accepted", config)
			continue
		}
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", config, err)
		}
		if _, err := os.Stat(filepath.Join(data, "pincall.db")); err == nil {
			t.Errorf("%q: a database was made", config)
		}
	}
}

func start(t *testing.T, dir string) (*app.Main, *buffer) {
	t.Helper()
	log := &buffer{}
	m, err := app.New(t.Context(), app.Config{Listen: "127.0.0.1:0", Data: dir, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return m, log
}

// A server makes a key where there is none, and never a second one.
func TestFirstKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keys := func() (working int) {
		a, err := app.OpenAdminExisting(t.Context(), app.Config{Data: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		all, err := a.Keys(t.Context(), app.DefaultAccount)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range all {
			if k.RevokedAt.IsZero() {
				working++
			}
		}
		return working
	}
	m, _ := start(t, dir)
	m.Close()
	key, err := app.ReadKeyFile(dir)
	if err != nil || keys() != 1 {
		t.Fatalf("%d keys, %v", keys(), err)
	}
	if info, err := os.Stat(filepath.Join(dir, "api-key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", info.Mode(), err)
	}
	os.Remove(filepath.Join(dir, "api-key"))
	m, _ = start(t, dir)
	m.Close()
	if keys() != 1 {
		t.Errorf("%d keys after the file was taken away", keys())
	}
	if err := os.WriteFile(filepath.Join(dir, "api-key"), []byte(strings.ToUpper(key)), 0o600); err != nil {
		t.Fatal(err)
	}
	m, log := start(t, dir)
	m.Close()
	if !strings.Contains(log.String(), "does not work") || strings.Contains(log.String(), strings.ToUpper(key)) {
		t.Error("a dead key file is told of, without the key")
	}
}

// A command's own server has a key of its own, which dies with it.
func TestCommandsKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m, err := app.New(t.Context(), app.Config{Listen: "127.0.0.1:0", Data: dir, Work: app.WorkNone, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if m.OwnKey().IsZero() {
		t.Error("no key")
	}
	m.Close()
	a, err := app.OpenAdmin(t.Context(), app.Config{Data: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	all, err := a.Keys(t.Context(), app.DefaultAccount)
	if err != nil || len(all) != 1 || all[0].RevokedAt.IsZero() || !all[0].Has(account.ScopeAdmin) {
		t.Errorf("keys %+v, %v", all, err)
	}
}

func TestLostKeyring(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m, _ := start(t, dir)
	m.Close()
	ring := filepath.Join(dir, "keyring.json")
	kept, err := os.ReadFile(ring)
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(ring)
	if _, err := app.OpenAdmin(t.Context(), app.Config{Data: dir}); err == nil || !strings.Contains(err.Error(), "restore it") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(ring); err == nil {
		t.Error("a new keyring lies where the old one must be restored")
	}
	if err := os.WriteFile(ring, kept, 0o600); err != nil {
		t.Fatal(err)
	}
	m, _ = start(t, dir)
	m.Close()
}

func TestOneServerAFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m, _ := start(t, dir)
	defer m.Close()
	if addr, ok := app.RunningServer(dir); !ok || addr != m.Addr() {
		t.Errorf("running at %q, %v", addr, ok)
	}
	if _, err := app.New(t.Context(), app.Config{Listen: "127.0.0.1:0", Data: dir, Log: slog.New(slog.DiscardHandler)}); err == nil {
		t.Error("a second server works on the folder")
	}
	m.Close()
	if _, ok := app.RunningServer(dir); ok {
		t.Error("found a server that has stopped")
	}
}
