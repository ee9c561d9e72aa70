package app

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pincall/pincall/internal/carrier/sim"
	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/store/postgres"
	"github.com/pincall/pincall/internal/verify"
)

// DefaultListen is where the server listens unless told otherwise.
const DefaultListen = "127.0.0.1:8420"

// DefaultStopAfter is how long calls in progress may go on when a server stops:
// short of what service managers allow (systemd: 90 s), and long enough for a
// call whose code is being read. A command's own server waits commandStop.
const (
	DefaultStopAfter = 30 * time.Second
	commandStop      = 3 * time.Second
)

// File is the configuration file. Every field may be left out;
// pincall.example.yaml explains them all, and shows the defaults.
type File struct {
	Listen string `yaml:"listen"`
	// Database names one that several nodes share; none: SQLite in the data folder.
	Database DatabaseFile `yaml:"database"`
	// Keyring is the keyring's file beside a shared database. Without one it is the
	// data folder's.
	Keyring string `yaml:"keyring"`
	// PublicURL is how the outside reaches this server; carriers are given
	// callbacks below it. Empty: none, and everything is learned by asking.
	PublicURL string  `yaml:"public_url"`
	TLS       TLSFile `yaml:"tls"`
	// TrustedProxies are networks whose word is taken for who their client is.
	TrustedProxies []string `yaml:"trusted_proxies"`
	// MetricsListen is where /metrics is served; empty: nowhere.
	MetricsListen string      `yaml:"metrics_listen"`
	Log           LogFile     `yaml:"log"`
	Guard         GuardFile   `yaml:"guard"`
	Routes        []RouteFile `yaml:"routes"`
	Voices        VoicesFile  `yaml:"voices"`
	Sim           SimFile     `yaml:"sim"`
	// Retention is how long finished verifications are kept before only counts are
	// left of them: a time, or keepForEver.
	Retention string `yaml:"retention"`
	// StopAfter is how long calls in progress may go on when the server stops.
	StopAfter time.Duration `yaml:"stop_after"`
}

// TLSFile names the certificate's files, PEM. Both or none.
type TLSFile struct {
	Cert string `yaml:"cert"` // with the chain
	Key  string `yaml:"key"`
}

// LogFile says how the log is written.
type LogFile struct {
	Format string `yaml:"format"` // text, json
	Level  string `yaml:"level"`  // debug, info, warn, error
}

// GuardFile holds the limits. A limit is written as uses and time: "10/24h".
type GuardFile struct {
	Countries        []string `yaml:"countries"` // that real carriers may call
	StartsPerNumber  string   `yaml:"starts_per_number"`
	SendsPerNumber   string   `yaml:"sends_per_number"`
	WrongPerNumber   string   `yaml:"wrong_per_number"`
	StartsPerAccount string   `yaml:"starts_per_account"`
	CallsPerDay      int64    `yaml:"calls_per_day"`
	ConcurrentCalls  int64    `yaml:"concurrent_calls"`
}

// SimFile configures the simulator.
type SimFile struct {
	Pace string `yaml:"pace"` // real, fast
}

// RouteFile configures one route. Without any there is one: the simulator.
type RouteFile struct {
	Carrier string `yaml:"carrier"` // sim, trunk, xoxzo
	Name    string `yaml:"name"`    // the carrier's name
	Enabled *bool  `yaml:"enabled"` // true
	// Serve: this node places on the route. Otherwise another does.
	Serve *bool `yaml:"serve"` // true
	// Priority orders the routes, the lowest first; Weight shares calls among the
	// routes of one priority.
	Priority int    `yaml:"priority"`
	Weight   int    `yaml:"weight"`
	Caller   string `yaml:"caller"` // xoxzo: caller ID of calls
	Sender   string `yaml:"sender"` // xoxzo: sender of messages
	BaseURL  string `yaml:"base_url"`
	// Trunk is for carrier trunk.
	Trunk TrunkFile `yaml:"trunk"`
}

// defaultFile is what holds where nothing is said.
func defaultFile() File {
	return File{
		Listen: DefaultListen, Database: DatabaseFile{MaxConns: postgres.DefaultMaxConns}, Log: LogFile{Format: "text", Level: "info"}, Sim: SimFile{Pace: "real"},
		Retention: "720h", StopAfter: DefaultStopAfter,
		Guard: GuardFile{
			StartsPerNumber: "10/1h", SendsPerNumber: "15/24h", WrongPerNumber: "10/24h", StartsPerAccount: "600/1m",
			CallsPerDay: 10_000, ConcurrentCalls: 200,
		},
	}
}

// file is the configuration's path, whether it is there or not.
func (c Config) file() string {
	if c.ConfigFile != "" {
		return c.ConfigFile
	}
	return filepath.Join(c.Data, "pincall.yaml")
}

// readFile puts together the settings: the flags, else the environment, else the
// file, else the defaults. A missing file that nobody named is empty.
func (c Config) readFile() (File, error) {
	f := defaultFile()
	path, named := c.file(), c.ConfigFile != ""
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
	case err != nil:
		return f, fmt.Errorf("read the configuration: %w", err)
	default:
		if err := parseFile(b, &f); err != nil {
			return f, fmt.Errorf("%s: %w", path, err)
		}
	}
	if err := overrides(&f, c.Getenv, c.Environ()); err != nil {
		return f, err
	}
	if c.Listen != "" {
		f.Listen = c.Listen
	}
	if c.LogFormat != "" {
		f.Log.Format = c.LogFormat
	}
	return f, f.check()
}

// check judges what is not judged where it is used.
func (f File) check() error {
	if f.StopAfter <= 0 {
		return errors.New("stop_after: write a time such as 30s")
	}
	if err := checkAddress(f.Listen); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if err := f.checkDatabase(); err != nil {
		return err
	}
	if f.MetricsListen != "" {
		if err := checkAddress(f.MetricsListen); err != nil {
			return fmt.Errorf("metrics_listen: %w", err)
		}
	}
	if f.PublicURL != "" {
		u, err := url.Parse(f.PublicURL)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" || u.Fragment != "" {
			return errors.New("public_url: write an address such as https://verify.example.com")
		}
	}
	if (f.TLS.Cert == "") != (f.TLS.Key == "") {
		return errors.New("tls: name both files, cert and key")
	}
	if _, err := f.proxies(); err != nil {
		return err
	}
	if !slices.Contains([]string{"text", "json"}, f.Log.Format) {
		return errors.New("log.format: choose text or json")
	}
	if err := new(slog.Level).UnmarshalText([]byte(f.Log.Level)); err != nil || strings.ContainsAny(f.Log.Level, "+-") {
		return errors.New("log.level: choose debug, info, warn or error")
	}
	if _, err := f.keep(); err != nil {
		return err
	}
	_, err := f.Sim.pace()
	return err
}

// keepForEver is the word for no retention limit.
const keepForEver = "forever"

// keep is the retention as the core has it: negative is for ever.
func (f File) keep() (time.Duration, error) {
	if f.Retention == keepForEver {
		return -1, nil
	}
	d, err := time.ParseDuration(f.Retention)
	if err != nil || d < verify.MinRetention {
		return 0, fmt.Errorf("retention: write a time of at least 24h, such as 720h, or %s", keepForEver)
	}
	return d, nil
}

// checkAddress wants host and port.
func checkAddress(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return errors.New("write HOST:PORT, such as " + DefaultListen)
	}
	return nil
}

// proxies reads the trusted networks; a single address is one, too.
func (f File) proxies() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for i, text := range f.TrustedProxies {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			var a netip.Addr
			if a, err = netip.ParseAddr(text); err == nil && a.Zone() == "" {
				p = netip.PrefixFrom(a, a.BitLen())
			}
		}
		if err != nil || !p.IsValid() {
			return nil, fmt.Errorf("trusted_proxies[%d]: write a network such as 10.0.0.0/8, or an address", i)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// limits turns the file's limits into the guard's.
func (g GuardFile) limits() (guard.Limits, error) {
	l := guard.Limits{ConcurrentCalls: g.ConcurrentCalls, Calls: guard.Limit{N: g.CallsPerDay}}
	for _, f := range []struct {
		option, text string
		to           *guard.Limit
	}{
		{"starts_per_number", g.StartsPerNumber, &l.Starts},
		{"sends_per_number", g.SendsPerNumber, &l.Sends},
		{"wrong_per_number", g.WrongPerNumber, &l.Wrong},
		{"starts_per_account", g.StartsPerAccount, &l.AccountStarts},
	} {
		if err := parseLimit(f.text, f.to); err != nil {
			return l, fmt.Errorf("guard.%s: %w", f.option, err)
		}
	}
	for _, f := range []struct {
		option string
		n      int64
	}{{"calls_per_day", g.CallsPerDay}, {"concurrent_calls", g.ConcurrentCalls}} {
		if f.n < 1 {
			return l, fmt.Errorf("guard.%s: write a number above 0; to stop all calls, leave guard.countries empty", f.option)
		}
	}
	for i, c := range g.Countries {
		if !phone.IsCountry(c) {
			return l, fmt.Errorf("guard.countries[%d]: write ISO 3166 codes in capitals, such as JP or GB", i)
		}
	}
	l.Countries = g.Countries
	return l, nil
}

func parseLimit(text string, to *guard.Limit) error {
	const how = `write uses and time, such as "10/24h"`
	n, d, ok := strings.Cut(text, "/")
	if !ok {
		return errors.New(how)
	}
	var err error
	if to.N, err = strconv.ParseInt(strings.TrimSpace(n), 10, 64); err != nil || to.N < 1 {
		return errors.New(how)
	}
	if to.Window, err = time.ParseDuration(strings.TrimSpace(d)); err != nil || to.Window < time.Second {
		return errors.New(how)
	}
	return nil
}

// pace reads the simulator's pace.
func (s SimFile) pace() (sim.Pace, error) {
	switch s.Pace {
	case "real":
		return sim.Real, nil
	case "fast":
		return sim.Fast, nil
	}
	return "", errors.New("sim.pace: choose real or fast")
}
