package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/pincall/pincall/internal/carrier/sim"
	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/phone"
)

// DefaultListen is where the server listens unless told otherwise.
const DefaultListen = "127.0.0.1:8420"

// Config is how a process is started. Listen and Data go before the file's.
type Config struct {
	Listen     string // host:port; DefaultListen
	Data       string // folder; DefaultData
	ConfigFile string // YAML; pincall.yaml in the data folder, where there is one
	Work       Work   // WorkAll
	Getenv     func(string) string
	Log        *slog.Logger
	Stdout     io.Writer // the address and the key file's path are printed here; nil: nowhere
}

// Work says which promised calls and messages a process carries out.
type Work int

// A server does all work; a command does what it asked for itself, or none: what
// another process left behind waits for a server, which does not end in the
// middle of a call.
const (
	WorkAll Work = iota
	WorkOwn
	WorkNone
)

// File is the configuration file. Every field may be left out.
type File struct {
	Listen string `yaml:"listen"`
	// PublicURL is how the outside reaches this server; carriers are given
	// callbacks below it. Empty: none, and everything is learned by asking.
	PublicURL string      `yaml:"public_url"`
	Guard     GuardFile   `yaml:"guard"`
	Sim       SimFile     `yaml:"sim"`
	Routes    []RouteFile `yaml:"routes"`
	// StopAfter is how long calls in progress may go on when the server stops.
	StopAfter time.Duration `yaml:"stop_after"`
}

// GuardFile holds the limits. A limit is written as uses and time: "10/24h".
type GuardFile struct {
	Countries        []string `yaml:"countries"` // that real carriers may call
	StartsPerNumber  string   `yaml:"starts_per_number"`
	SendsPerNumber   string   `yaml:"sends_per_number"`
	WrongPerNumber   string   `yaml:"wrong_per_number"`
	StartsPerAccount string   `yaml:"starts_per_account"`
	CallsPerDay      *int64   `yaml:"calls_per_day"`
	ConcurrentCalls  *int64   `yaml:"concurrent_calls"`
}

// SimFile configures the simulator.
type SimFile struct {
	Pace string `yaml:"pace"` // real, fast
}

// RouteFile configures one route. Without any there is one: the simulator.
type RouteFile struct {
	Carrier string `yaml:"carrier"` // sim, xoxzo
	Name    string `yaml:"name"`    // the carrier's name
	Caller  string `yaml:"caller"`  // xoxzo: caller ID of calls
	Sender  string `yaml:"sender"`  // xoxzo: sender of messages
	BaseURL string `yaml:"base_url"`
}

// withDefaults fills what is empty.
func (c Config) withDefaults() (Config, error) {
	if c.Getenv == nil {
		c.Getenv = os.Getenv
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Stdout == nil {
		c.Stdout = io.Discard
	}
	if c.Data == "" {
		var err error
		if c.Data, err = DefaultData(c.Getenv); err != nil {
			return c, err
		}
	}
	return c, nil
}

// DefaultData is the data folder: $PINCALL_DATA, else pincall in the user's data
// folder.
func DefaultData(getenv func(string) string) (string, error) {
	if d := getenv("PINCALL_DATA"); d != "" {
		return d, nil
	}
	if d := getenv("XDG_DATA_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "pincall"), nil
	}
	if home := getenv("HOME"); home != "" {
		return filepath.Join(home, ".local", "share", "pincall"), nil
	}
	return "", errors.New("there is no home folder: say --data DIR")
}

// readFile reads the configuration file; a missing one that nobody named is
// empty.
func (c Config) readFile() (File, error) {
	path, named := c.ConfigFile, c.ConfigFile != ""
	if !named {
		path = filepath.Join(c.Data, "pincall.yaml")
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && !named {
		return File{}, nil
	}
	if err != nil {
		return File{}, fmt.Errorf("read the configuration: %w", err)
	}
	var f File
	d := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict())
	if err := d.Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		return File{}, fmt.Errorf("%s: %s", path, oneLine(yaml.FormatError(err, false, false)))
	}
	if err := d.Decode(&File{}); !errors.Is(err, io.EOF) {
		return File{}, fmt.Errorf("%s: there is a second document: a configuration is one", path)
	}
	return f, f.check()
}

// check judges what is not judged where it is used.
func (f File) check() error {
	if f.StopAfter < 0 {
		return errors.New("stop_after: write a time such as 3s")
	}
	if f.PublicURL != "" {
		u, err := url.Parse(f.PublicURL)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" || u.Fragment != "" {
			return errors.New("public_url: write an address such as https://verify.example.com")
		}
	}
	_, err := f.Sim.pace()
	return err
}

// oneLine keeps an error on one line.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// limits turns the file's limits into the guard's.
func (g GuardFile) limits() (guard.Limits, error) {
	var l guard.Limits
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
		n      *int64
		to     *int64
	}{{"calls_per_day", g.CallsPerDay, &l.Calls.N}, {"concurrent_calls", g.ConcurrentCalls, &l.ConcurrentCalls}} {
		if f.n == nil {
			continue
		}
		if *f.n < 1 {
			return l, fmt.Errorf("guard.%s: write a number above 0; to stop all calls, leave guard.countries empty", f.option)
		}
		*f.to = *f.n
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
	if text == "" {
		return nil
	}
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
	case "", "real":
		return sim.Real, nil
	case "fast":
		return sim.Fast, nil
	}
	return "", errors.New("sim.pace: choose real or fast")
}
