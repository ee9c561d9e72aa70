// Command load measures starts and checks over HTTP with everything at work:
// limits, events, and delivery to a carrier that records every call, every answer
// on disk before it is given. Beside it, in turn with it, the same generator
// measures a bare net/http handler that answers the same JSON: the machine's
// yardstick. Run it with
//
//	make bench-load [DB=sqlite|postgres] [STORED=0,1000000] [CLIENTS=64] [SECONDS_EACH=5] [MODE=closed|open RATE=1000] [CHANNEL=voice|sms] [ONCE=1] [CARRIER=http]
//
// The server is a process of its own; the generator shares the machine with it.
// The carrier is part of the server and writes down what it is given; with
// CARRIER=http it is Xoxzo's API, spoken by the generator's process: three
// exchanges over HTTP for each delivery (the call, its callback, its status). STORED is how many finished verifications are in the database
// before it begins; of several values, each is measured on a new database. ONCE=1
// sends an Idempotency-Key with every start.
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/pincall/pincall/bench/internal/echo"
	"github.com/pincall/pincall/bench/internal/load"
	"github.com/pincall/pincall/bench/internal/recording"
	"github.com/pincall/pincall/bench/internal/settings"
)

func main() {
	if len(os.Args) > 2 && os.Args[1] == echo.Argument {
		fmt.Fprintln(os.Stderr, echo.Serve(os.Args[2]))
		os.Exit(1)
	}
	if len(os.Args) > 2 && os.Args[1] == recording.Argument {
		if err := recording.Serve(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench-load:", err)
		os.Exit(1)
	}
}

// plan is what the variables choose.
type plan struct {
	postgres bool
	stored   []int
	each     time.Duration
	channel  string
	once     bool
	http     bool // the carrier is asked over HTTP
	gen      *load.Generator
}

func read() (plan, error) {
	p := plan{
		each: time.Duration(settings.Number("SECONDS_EACH", 5)) * time.Second, channel: settings.Word("CHANNEL", "voice"),
		once: os.Getenv("ONCE") == "1", http: settings.Word("CARRIER", "recording") == "http", postgres: settings.Word("DB", "sqlite") == "postgres",
	}
	open := settings.Word("MODE", "closed") == "open"
	p.gen = load.New(settings.Number("CLIENTS", 64))
	if open {
		p.gen.Rate = settings.Number("RATE", 1000)
	}
	for text := range strings.SplitSeq(settings.Word("STORED", "0"), ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return p, fmt.Errorf("STORED: %q is no number", text)
		}
		p.stored = append(p.stored, n)
	}
	return p, nil
}

func run() error {
	p, err := read()
	if err != nil {
		return err
	}
	var all []figures
	for _, n := range p.stored {
		// Filling a large database takes most of the time.
		ctx, cancel := settings.Context(10*time.Minute + time.Duration(n/2000)*time.Second)
		f, err := measure(ctx, p, n)
		cancel()
		if err != nil {
			return fmt.Errorf("with %d stored: %w", n, err)
		}
		f.table(p)
		all = append(all, f)
	}
	if len(all) > 1 {
		curve(all)
	}
	all[len(all)-1].line(p)
	return nil
}
