//go:build amd64 || arm64

// Command calls measures our own lines: many calls at a time from the real
// server, started through its API, over a trunk to a called side that is a
// process of its own and keeps when every packet came by the kernel's stamp.
// Run it with
//
//	make bench-calls [N=500] [DURATION=20] [RETURN=0|1]
//
// RETURN=1 lets the called side send as much. SEARCH=1 looks for the largest N
// with 99 of 100 packets under 5 ms late and none over 20 ms. LEAK=10000 makes so
// many short calls and compares what the server holds before and after. RATE is
// the starts a second (1000); INBAND=1 negotiates no telephone-event, so that keys
// are sought in the sound. Caller, called side and generator share the machine.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"time"
)

func main() {
	err := errors.New("usage: calls")
	switch {
	case len(os.Args) == 1:
		ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
		defer cancel()
		err = run(ctx)
	case os.Args[1] == "sink":
		err = runSink()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-calls:", err)
		os.Exit(1)
	}
}

// setting reads a number from the environment.
func setting(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n >= 0 {
		return n
	}
	return otherwise
}

// settings are what the environment asks for.
type settings struct {
	n, rate        int
	hold           time.Duration
	returns, keyed bool // the called side sends; keys are sought in its sound
}

func read() settings {
	return settings{
		n: setting("N", 500), rate: max(setting("RATE", 1000), 1), hold: time.Duration(setting("DURATION", 20)) * time.Second,
		returns: setting("RETURN", 0) == 1, keyed: setting("INBAND", 0) == 1,
	}
}

func run(ctx context.Context) error {
	set := read()
	b, err := newBench(ctx)
	if err != nil {
		return err
	}
	defer b.close()
	bare, err := yardstick()
	if err != nil {
		return err
	}
	fmt.Printf("yardstick: one thread that does nothing but send, 64 packets a system call, could send %.0f streams\n", bare)
	if n := setting("LEAK", 0); n > 0 {
		return b.leak(ctx, n)
	}
	invite, err := b.invites(ctx)
	if err != nil {
		return err
	}
	heading()
	var best result
	if setting("SEARCH", 0) == 1 {
		best, err = b.search(ctx, set)
	} else if best, err = b.hold(ctx, set); err == nil {
		best.print()
	}
	if err != nil {
		return err
	}
	fmt.Printf("API call accepted -> INVITE on the wire, %d starts at %d/s: p50 %.2f ms, p99 %.2f ms, max %.2f ms; %.0f %% left before the answer was read\n",
		invite.n, inviteRate, invite.p50, invite.p99, invite.max, 100*invite.before)
	asterisk()
	fmt.Printf("calls=%d calls_per_core=%.0f p50_ms=%.2f p99_ms=%.2f max_ms=%.2f kb_per_call=%.1f setups_per_s=%.0f invite_p99_ms=%.2f "+
		"return=%d over20=%d missing=%d cpu_s_per_call=%.4f bare_streams_per_core=%.0f\n",
		best.calls, best.perCore(), best.late.P50, best.late.P99, best.late.Max, best.kB, best.setups, invite.p99,
		setting("RETURN", 0), best.late.Over20, best.late.Missing, best.cpuEach, bare)
	return nil
}

// asterisk prints what the same arrangement gave with Asterisk 23 (call files, PJSIP, a
// 20 s mu-law file, SIPp as a silent called side) on two cores of this kind.
func asterisk() {
	fmt.Println("Asterisk 23, silent called side, the same kind of machine: 606 calls per core at 200 calls, 619 at 600, 588 at 1000; 300 kB a call; 5.8 to 14.9 ms of CPU a set-up")
}
