package app

import (
	"testing"

	"github.com/pincall/pincall/internal/carrier/sim"
)

// The page is open only where nobody but this machine gets through.
func TestWhoMayOpenThePage(t *testing.T) {
	t.Parallel()
	phones, err := sim.New(sim.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = phones.Close() })
	for name, row := range map[string]struct {
		main *Main
		file File
		want bool
	}{
		"as it comes":         {&Main{phones: phones}, defaultFile(), true},
		"IPv6":                {&Main{phones: phones}, File{Listen: "[::1]:8420"}, true},
		"local public URL":    {&Main{phones: phones}, File{Listen: "localhost:0", PublicURL: "http://[::1]:8420"}, true},
		"off the loopback":    {&Main{phones: phones}, File{Listen: "0.0.0.0:8420"}, false},
		"every address":       {&Main{phones: phones}, File{Listen: ":8420"}, false},
		"behind a proxy":      {&Main{phones: phones}, File{Listen: DefaultListen, TrustedProxies: []string{"127.0.0.1/32"}}, false},
		"known to the public": {&Main{phones: phones}, File{Listen: DefaultListen, PublicURL: "https://pin.example.com"}, false},
		"a real carrier":      {&Main{}, defaultFile(), false},
	} {
		if cfg := row.main.pages(row.file); cfg.Open != row.want || (cfg.Phones == nil) != (row.main.phones == nil) {
			t.Errorf("%s: open %v", name, cfg.Open)
		}
	}
}
