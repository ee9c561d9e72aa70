// Command pincall verifies people by phone. It is the whole program in one
// binary: the server, and the commands that talk to it. A command knows flags,
// the terminal and the public client; what a verification is, only the packages
// behind internal/app know.
//
// Exit status: 0 done (for call and check: approved), 1 not, 2 wrong usage.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// The exit statuses.
const (
	exitOK    = 0
	exitNo    = 1 // not approved, or it could not be done
	exitUsage = 2 // wrong flags or input: the same command will fail again
)

// system is what a command sees of the world.
type system struct {
	In     io.Reader
	Out    io.Writer
	Err    io.Writer
	Getenv func(string) string
}

// commands are the command line.
type commands struct {
	Serve    serveCmd    `cmd:"" help:"Run the server."`
	Call     callCmd     `cmd:"" help:"Verify a number, here and now, with this terminal as the screen."`
	Check    checkCmd    `cmd:"" help:"Check the code that a person typed."`
	Say      sayCmd      `cmd:"" help:"Print what a person would hear, or read, for a code."`
	Voices   voicesCmd   `cmd:"" help:"List voices, and check own recordings."`
	Trunk    trunkCmd    `cmd:"" help:"Try SIP trunks out."`
	Key      keyCmd      `cmd:"" help:"Make, list and revoke API keys."`
	Doctor   doctorCmd   `cmd:"" help:"Look for weakened settings and missing parts, and say what to do."`
	Account  accountCmd  `cmd:"" help:"Make, list, disable and enable accounts."`
	Template templateCmd `cmd:"" help:"Give a service its own words for a language."`
	Audit    auditCmd    `cmd:"" help:"Show what was done to an account, and by whom."`
	Erase    eraseCmd    `cmd:"" help:"Remove a person: everything that is kept of a number."`
	Backup   backupCmd   `cmd:"" help:"Copy the database to a new file, while the server runs."`
	Keyring  keyringCmd  `cmd:"" help:"Make and rotate the keys that the database is encrypted with."`
	Migrate  migrateCmd  `cmd:"" help:"Bring the database's schema up to date."`
	Version  versionCmd  `cmd:"" help:"Print the version."`
}

func main() {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup ignores it, and means it
		signals = append(signals, syscall.SIGHUP)
	}
	// A reader that is gone shows as a failed write, after which a call can
	// still be canceled; the signal would leave the phone to ring.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	// After the first signal the next one has its usual effect: it kills.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], system{os.Stdin, os.Stdout, os.Stderr, os.Getenv}))
}

// run carries out one command line and gives its exit status. It ends early
// when ctx does.
func run(ctx context.Context, args []string, sys system) int {
	helped := false
	parser, err := kong.New(&commands{},
		kong.Name("pincall"),
		kong.Description("Verifies that a person holds a phone number: says a PIN in a call, and checks what is typed back."),
		kong.Writers(sys.Out, sys.Err),
		kong.Exit(func(int) { helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		panic(err) // the struct tags above are wrong
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if helped {
		return exitOK
	}
	if err != nil {
		return report(sys, misread(err))
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	return report(sys, parsed.Run(sys))
}
