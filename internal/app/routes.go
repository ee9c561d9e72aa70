package app

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/carrier/sim"
	"github.com/pincall/pincall/internal/carrier/xoxzo"
	client "github.com/pincall/pincall/xoxzo"
)

// routeName is what a route may be called: it stands in addresses and logs.
var routeName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

// routes builds the configured carriers, in order of preference.
func (c Config) routes(f File) ([]carrier.Route, *sim.Carrier, error) {
	if len(f.Routes) == 0 {
		var phones *sim.Carrier
		route, err := c.route(RouteFile{Carrier: "sim", Name: "sim"}, f, &phones)
		return []carrier.Route{route}, phones, err
	}
	var out []carrier.Route
	var phones *sim.Carrier
	seen := map[string]bool{}
	for i, r := range f.Routes {
		if r.Name == "" {
			r.Name = r.Carrier
		}
		if !routeName.MatchString(r.Name) && r.Carrier != "" {
			return nil, nil, fmt.Errorf("routes[%d]: name: use lower-case letters, digits and dashes, at most 40", i)
		}
		if seen[r.Name] {
			return nil, nil, fmt.Errorf("routes[%d]: two routes have the name %q: give each its own name", i, r.Name)
		}
		seen[r.Name] = true
		route, err := c.route(r, f, &phones)
		if err != nil {
			return nil, nil, fmt.Errorf("routes[%d]: %w", i, err)
		}
		out = append(out, route)
	}
	if phones != nil && len(out) > 1 {
		return nil, nil, errors.New("routes: the simulator cannot stand beside another carrier in one process: " +
			"remove carrier sim, or the others")
	}
	return out, phones, nil
}

// route builds one carrier.
func (c Config) route(r RouteFile, f File, phones **sim.Carrier) (carrier.Route, error) {
	switch r.Carrier {
	case "sim":
		pace, err := f.Sim.pace()
		if err != nil {
			return carrier.Route{}, err
		}
		cfg := sim.Config{Pace: pace, Log: c.Log}
		if pace == sim.Real { // at the fast pace nobody could listen
			speaker, err := c.speaker(f.Voices, c.Log)
			if err != nil {
				return carrier.Route{}, err
			}
			cfg.Speaker = sim.Voices(speaker)
		}
		s, err := sim.New(cfg)
		*phones = s
		return carrier.Route{Name: r.Name, Embedded: true, Carrier: s}, err
	case "xoxzo":
		if strings.Trim(strings.TrimPrefix(r.Caller, "+"), "0123456789") != "" {
			return carrier.Route{}, errors.New("caller: write the number in digits")
		}
		if addr, plain := strings.CutPrefix(r.BaseURL, "http://"); plain && !loopback(withPort(addr)) {
			return carrier.Route{}, errors.New("base_url: use https: credentials and codes would travel in clear")
		}
		cfg := client.ConfigFromEnv(c.Getenv)
		if r.BaseURL != "" {
			cfg.BaseURL = r.BaseURL
		}
		x, err := xoxzo.New(xoxzo.Config{
			Client: cfg, Caller: r.Caller, Sender: r.Sender, Callback: callbackURL(f.PublicURL, r.Name), Log: c.Log,
		})
		return carrier.Route{Name: r.Name, Carrier: x}, err
	case "":
		return carrier.Route{}, errors.New("carrier is missing: choose sim or xoxzo")
	}
	return carrier.Route{}, errors.New("there is no such carrier: choose sim or xoxzo")
}

// withPort is host and port of an address's rest.
func withPort(rest string) string {
	host, _, _ := strings.Cut(rest, "/")
	if !strings.Contains(host, ":") {
		host += ":80"
	}
	return host
}

// callbackURL is what a route's callbacks begin with; empty without a public
// address.
func callbackURL(public, route string) string {
	if public == "" {
		return ""
	}
	return strings.TrimSuffix(public, "/") + "/callbacks/" + route
}
