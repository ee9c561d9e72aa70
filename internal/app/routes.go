package app

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/carrier/sim"
	"github.com/pincall/pincall/internal/carrier/xoxzo"
	"github.com/pincall/pincall/internal/talk"
	client "github.com/pincall/pincall/xoxzo"
)

// ErrNoRoute says that the route that was asked for is not configured.
var ErrNoRoute = errors.New("no such route")

// routeName is what a route may be called: it stands in addresses and logs.
var routeName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

// carriers are what a configuration asks for.
type carriers struct {
	routes []carrier.Route // in order of preference
	phones *sim.Carrier    // nil where a real carrier is configured
	lines  lines
	// idle are the trunks of routes that other nodes serve: built for what they
	// can do, and never started.
	idle      lines
	elsewhere []string // names of such routes
}

// close closes the simulator, the trunks, and their media last.
func (b *carriers) close() error {
	var err error
	if b.phones != nil {
		err = b.phones.Close()
	}
	return errors.Join(err, b.lines.close(), b.idle.close())
}

// carriers builds the configured carriers, in order of preference. What it gave
// must be closed, also after an error.
func (c Config) carriers(f File) (*carriers, error) {
	b := &carriers{}
	if len(c.Routes) > 0 {
		b.routes = slices.Clone(c.Routes)
		return b, nil
	}
	if len(f.Routes) == 0 {
		f.Routes = []RouteFile{{Carrier: "sim"}}
	}
	if err := b.add(c, f); err != nil {
		return b, err
	}
	if len(b.routes) == 0 {
		return b, errors.New("routes: none is enabled: enable one, or remove them all for the simulator")
	}
	if b.phones != nil && len(b.routes) > 1 {
		return b, errors.New("routes: the simulator cannot stand beside another carrier in one process: " +
			"remove carrier sim, or the others")
	}
	slices.SortStableFunc(b.routes, func(x, y carrier.Route) int { return x.Priority - y.Priority })
	return b, nil
}

// add builds every route that is enabled and, where c asks for one alone, has its
// name.
func (b *carriers) add(c Config, f File) error {
	seen := map[string]bool{}
	for i, r := range f.Routes {
		if r.Name == "" {
			r.Name = r.Carrier
		}
		if !routeName.MatchString(r.Name) && r.Carrier != "" {
			return fmt.Errorf("routes[%d]: name: use lower-case letters, digits and dashes, at most 40", i)
		}
		if seen[r.Name] {
			return fmt.Errorf("routes[%d]: two routes have the name %q: give each its own name", i, r.Name)
		}
		seen[r.Name] = true
		if r.Enabled != nil && !*r.Enabled || c.Route != "" && c.Route != r.Name {
			continue
		}
		err := r.misplaced()
		if err == nil {
			err = b.build(c, r, f)
		}
		if err != nil {
			return fmt.Errorf("routes[%d]: %w", i, err)
		}
	}
	if c.Route != "" && len(b.routes) == 0 {
		return fmt.Errorf("%w: no enabled route has that name", ErrNoRoute)
	}
	return nil
}

// build builds one route.
func (b *carriers) build(c Config, r RouteFile, f File) error {
	trunks := &b.lines
	if r.elsewhere() {
		trunks, b.elsewhere = &b.idle, append(b.elsewhere, r.Name)
	}
	if r.Carrier != "trunk" {
		route, err := c.route(r, f, &b.phones)
		if err != nil {
			return err
		}
		route.Priority, route.Weight = r.Priority, r.Weight
		b.routes = append(b.routes, route)
		return nil
	}
	t, err := trunks.add(c, r, f)
	if err != nil {
		return err
	}
	b.routes = append(b.routes, carrier.Route{Name: r.Name, Priority: r.Priority, Weight: r.Weight, Carrier: t})
	return nil
}

// route builds one carrier that is no trunk.
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
			cfg.Speaker = talk.Voices(speaker)
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
		return carrier.Route{}, errors.New("carrier is missing: choose sim, trunk or xoxzo")
	}
	return carrier.Route{}, errors.New("there is no such carrier: choose sim, trunk or xoxzo")
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
