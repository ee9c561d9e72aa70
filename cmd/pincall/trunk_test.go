package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/sipcall"
)

// aCarrier is a SIP carrier that answers OPTIONS, and calls with 486.
func aCarrier(t *testing.T) (addr string) {
	t.Helper()
	c, err := sipcall.New(sipcall.Config{
		Proxies: []string{"127.0.0.1:9"}, Bind: netip.MustParseAddrPort("127.0.0.1:0"), OptionsInterval: -time.Hour,
		Peers:    []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Open:     func() (sipcall.Stream, error) { return nil, errors.New("it takes no calls") },
		Incoming: func(_ context.Context, in *sipcall.Incoming) { _ = in.Reject(486) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = c.Stop(ctx)
	})
	return c.Addr().String()
}

// A trunk that works: the check says so, also on a port that is taken, and a call
// goes through it.
func TestTrunk(t *testing.T) {
	t.Parallel()
	carrier, data := aCarrier(t), t.TempDir()
	text := fmt.Sprintf(`
guard: {countries: [GB]}
routes:
- {carrier: trunk, name: wrong, trunk: {proxies: ["127.0.0.1:9"], bind: 127.0.0.1}}
- {carrier: trunk, name: main, trunk: {proxies: ["%s"], bind: "%s", caller_ids: [{number: "+442079460000"}]}}
- {carrier: trunk, name: right, trunk: {proxies: ["%s"], bind: 127.0.0.1, caller_ids: [{number: "+442079460000"}]}}
`, carrier, carrier, carrier)
	if err := os.WriteFile(filepath.Join(data, "pincall.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := begin(t.Context(), data, "trunk", "check", "main")
	p.wait(t, exitOK)
	lines := strings.Join(p.out.lines(), "\n")
	for _, want := range []string{
		"ok     bind: " + carrier + " is taken", "ok     resolve " + carrier + ": ", "ok     OPTIONS " + carrier + ": answers 200 in ",
	} {
		if !strings.Contains(lines, want) {
			t.Errorf("%q is not in\n%s", want, lines)
		}
	}
	p = begin(t.Context(), data, "call", "+442079460123", "--lang", "en", "--route", "right")
	_ = p.in.Close()
	p.wait(t, exitNo)
	if lines := strings.Join(p.out.lines(), "\n"); !strings.Contains(lines, "call: ended: busy (the line is busy)") {
		t.Error(lines)
	}
}
