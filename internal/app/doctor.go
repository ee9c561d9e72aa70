package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/store/sqlite"
)

// What is called too much.
const (
	shortCode  = account.DefaultCodeLength
	largeLog   = 256 << 20 // bytes; the log is emptied at 80 MB
	skewBy     = time.Minute
	certSoon   = 14 * 24 * time.Hour
	othersMay  = fs.FileMode(0o077)
	wideFactor = 10 // times the default rate
)

// Doctor looks at a configuration and a data folder, and gives one line for each
// setting that weakens the protection and each part that is missing, with what
// to do about it. It changes nothing, and a server may run meanwhile. No line
// has a secret or a number in it.
func Doctor(ctx context.Context, cfg Config) ([]string, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	cfg.Log = slog.New(slog.DiscardHandler)
	d := &doctor{cfg: cfg}
	f, routes := d.configuration()
	p := cfg.place(f)
	switch {
	case p.shared():
		d.shared(ctx, p, routes)
	case d.folder():
		d.database(ctx, routes)
	}
	return d.lines, nil
}

type doctor struct {
	cfg   Config
	lines []string
}

func (d *doctor) say(format string, args ...any) {
	d.lines = append(d.lines, oneLine(fmt.Sprintf(format, args...)))
}

// configuration looks at the options, and gives them with the routes, as far as
// there are some.
func (d *doctor) configuration() (File, []carrier.Route) {
	f, err := d.cfg.readFile()
	if err != nil {
		d.say("configuration: %v", err)
		return f, nil
	}
	d.listeners(f)
	d.certificate(f.TLS)
	d.limits(f.Guard)
	if f.Retention == keepForEver {
		d.say("retention: finished verifications are kept for ever: set a time, such as 720h")
	}
	built, err := d.cfg.carriers(f)
	defer func() { _ = built.close() }() // nothing was begun
	if err != nil {
		d.say("configuration: %v", err)
		return f, nil
	}
	for _, r := range f.Routes {
		d.route(r)
	}
	d.voices(f.Voices)
	if len(f.Guard.Countries) == 0 && slices.ContainsFunc(built.routes, func(r carrier.Route) bool { return !r.Embedded }) {
		d.say("guard.countries: no country may be called: list those where your users are, such as [JP]")
	}
	return f, built.routes
}

func (d *doctor) listeners(f File) {
	if f.TLS.Cert == "" && !loopback(f.Listen) {
		d.say("listen: plain HTTP on %s can be read on the way: set tls.cert and tls.key, or listen on the loopback behind a proxy that speaks TLS", f.Listen)
	}
	if f.MetricsListen != "" && !loopback(f.MetricsListen) {
		d.say("metrics_listen: everybody who reaches %s may read the metrics: choose a loopback or private address", f.MetricsListen)
	}
	if strings.HasPrefix(f.PublicURL, "http://") {
		d.say("public_url: carriers are given addresses without TLS: use https")
	}
	proxies, _ := f.proxies() // judged with the file
	for i, p := range proxies {
		if p.Bits() == 0 {
			d.say("trusted_proxies[%d]: anybody is believed about who they are: list your proxies' addresses", i)
		}
	}
}

func (d *doctor) certificate(t TLSFile) {
	if t.Cert == "" {
		return
	}
	pair, err := readPair(t)
	if err != nil {
		d.say("configuration: %v", err)
		return
	}
	if left := time.Until(pair.Leaf.NotAfter); left < certSoon {
		d.say("tls.cert: the certificate ends on %s: renew it", pair.Leaf.NotAfter.UTC().Format(time.DateOnly))
	}
	if info, err := os.Stat(t.Key); err == nil && info.Mode().Perm()&othersMay != 0 {
		d.say("tls.key: other users of this machine may read %s: run chmod 600 on it", t.Key)
	}
}

// limits compares rates with the defaults.
func (d *doctor) limits(g GuardFile) {
	l, err := g.limits()
	if err != nil {
		d.say("configuration: %v", err)
		return
	}
	l = l.WithDefaults()
	def, _ := defaultFile().Guard.limits()
	def = def.WithDefaults()
	for _, x := range []struct {
		name      string
		have, def float64
	}{
		{"starts_per_number", rate(l.Starts.N, l.Starts.Window), rate(def.Starts.N, def.Starts.Window)},
		{"sends_per_number", rate(l.Sends.N, l.Sends.Window), rate(def.Sends.N, def.Sends.Window)},
		{"wrong_per_number", rate(l.Wrong.N, l.Wrong.Window), rate(def.Wrong.N, def.Wrong.Window)},
		{"starts_per_account", rate(l.AccountStarts.N, l.AccountStarts.Window), rate(def.AccountStarts.N, def.AccountStarts.Window)},
		{"calls_per_day", float64(l.Calls.N), float64(def.Calls.N)},
		{"concurrent_calls", float64(l.ConcurrentCalls), float64(def.ConcurrentCalls)},
	} {
		if x.have > wideFactor*x.def {
			d.say("guard.%s: it is more than %d times as wide as the default: lower it to what you need", x.name, wideFactor)
		}
	}
}

// rate is uses a second.
func rate(n int64, window time.Duration) float64 { return float64(n) / window.Seconds() }

// route looks at what a carrier needs.
func (d *doctor) route(r RouteFile) {
	if r.Enabled != nil && !*r.Enabled {
		return
	}
	if r.Carrier == "trunk" {
		d.trunk(r)
	}
	if r.Carrier != "xoxzo" {
		return
	}
	for _, name := range []string{"XOXZO_API_SID", "XOXZO_API_AUTH_TOKEN"} {
		if d.cfg.Getenv(name) == "" {
			d.say("route %s: %s is not set, and every attempt will be refused: set it in the server's environment (and here)", or(r.Name, r.Carrier), name)
		}
	}
}

// folder looks at the data folder, and says whether there is a database in it.
func (d *doctor) folder() bool {
	dir := d.cfg.Data
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.say("data folder: there is no %s: run pincall serve once, or name the server's with --data", dir)
		return false
	case err != nil:
		d.say("data folder: %v", err)
		return false
	case !info.IsDir():
		d.say("data folder: %s is no folder: name another with --data", dir)
		return false
	}
	if info.Mode().Perm()&othersMay != 0 {
		d.say("data folder: other users of this machine may look into %s: run chmod 700 on it", dir)
	}
	for _, name := range []string{databaseFile, keyFile, "pincall.yaml"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode().Perm()&othersMay != 0 && name != "pincall.yaml" {
			d.say("%s: other users of this machine may read it: run chmod 600 on it", name)
		}
	}
	if _, listed := RunningServer(dir); !listed && locked(dir) {
		d.say("lock: a process works on %s and takes no requests: a server that starts or stops, or a command; look again in a moment", dir)
	}
	if !exists(filepath.Join(dir, databaseFile)) {
		d.say("database: there is none in %s: run pincall serve once, or name the server's folder with --data", dir)
		return false
	}
	return true
}

// database looks at the file, and at what is in it.
func (d *doctor) database(ctx context.Context, routes []carrier.Route) {
	path := filepath.Join(d.cfg.Data, databaseFile)
	if info, err := os.Stat(path + "-wal"); err == nil && info.Size() > largeLog {
		d.say("database: its log has %d MB: something reads for very long; end that, or restart the server", info.Size()>>20)
	}
	i, err := sqlite.Inspect(ctx, path)
	if err != nil {
		d.say("database: %v: restore it from your copy", err)
		return
	}
	if i.Version > i.Known {
		d.say("database: a newer pincall has worked on it (schema %d, this one knows %d): use the newer one", i.Version, i.Known)
	}
	d.keyring(filepath.Join(d.cfg.Data, keyringFile), i.KeyCheck)
	d.clock(path, i.Newest)
	d.accounts(i, routes)
}

// accounts looks at what the accounts have.
func (d *doctor) accounts(i store.Inspection, routes []carrier.Route) {
	d.keyFile(i)
	for _, s := range i.Services {
		d.service(s.WithDefaults(), routes)
	}
}

func (d *doctor) keyring(path, check string) {
	keys, err := secret.LoadKeyring(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.say("keyring: %s is missing, and the database cannot be read without it: restore it from your copy", path)
	case err != nil:
		d.say("keyring: %v", err)
	case check != "" && keys.CheckValue() != check:
		d.say("keyring: %s belongs to another database: restore the one that this database was made with", path)
	}
}

// clock compares it with what was written last.
func (d *doctor) clock(path string, newest time.Time) {
	if info, err := os.Stat(path); err == nil && info.ModTime().After(newest) {
		newest = info.ModTime()
	}
	if behind := time.Until(newest); behind > skewBy {
		d.say("clock: it is %s behind what the database was written at: set it, and keep it right with NTP", behind.Round(time.Second))
	}
}

// keyFile warns of the first key, which may do everything, where it still lies
// in the folder.
func (d *doctor) keyFile(i store.Inspection) {
	text, err := ReadKeyFile(d.cfg.Data)
	if err != nil {
		return // it is kept elsewhere
	}
	parts := strings.Split(text, "_")
	if len(parts) != 3 {
		d.say("%s: it holds no API key: delete it, or put there what pincall key new prints", keyFile)
		return
	}
	scopes, working := i.WorkingKeys[parts[1]]
	switch {
	case !working:
		d.say("%s: the key in it does not work: delete the file, or put there what pincall key new prints", keyFile)
	case slices.Contains(scopes, account.ScopeAdmin):
		d.say("%s: a key with the scope admin lies in the data folder: keep it elsewhere, and give programs keys of their own (pincall key new --scope verify)", keyFile)
	}
}

// service looks at the settings of one product.
func (d *doctor) service(s account.Service, routes []carrier.Route) {
	name := "service " + s.ID
	if s.Account != DefaultAccount {
		name = "service " + s.Account + "/" + s.ID
	}
	if s.CodeLength < shortCode {
		d.say("%s: codes of %d digits can be guessed: set code_length to %d", name, s.CodeLength, shortCode)
	}
	if !slices.ContainsFunc(s.Workflow, func(step account.Step) bool { return step.Channel == phone.Voice }) {
		return
	}
	if s.Gate == script.GateNone {
		d.say("%s: it reads the code to whatever answers, a mailbox too: set gate to any_key", name)
		return
	}
	for _, r := range routes {
		if can := r.Carrier.Can(); can.Voice && !can.Gate && s.GatePolicy == account.GatePrefer {
			d.say("%s: route %s takes no keys, so a mailbox may be read the code: set gate_policy to require (the route is then not used for it)", name, r.Name)
		}
	}
}
