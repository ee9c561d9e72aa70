package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/app"
)

// keyCmd manages API keys; servers may run meanwhile.
type keyCmd struct {
	New    keyNewCmd    `cmd:"" help:"Make a key and print it: it is shown this once."`
	List   keyListCmd   `cmd:"" help:"List the keys, without their secrets."`
	Revoke keyRevokeCmd `cmd:"" help:"End a key; a running server refuses it within two seconds."`
	Rotate rotateCmd    `cmd:"" help:"The same as keyring rotate: encrypt with a new key from now on."`
}

// placeFlags say where things are kept: in the data folder, or in the database
// that the configuration names.
type placeFlags struct {
	Data   string `help:"Data folder [$$PINCALL_DATA, else ~/.local/share/pincall]." placeholder:"DIR"`
	Config string `help:"Configuration file [$$PINCALL_CONFIG, else pincall.yaml in the data folder]." placeholder:"FILE"`
}

func (f placeFlags) config(sys system) (app.Config, error) {
	data, err := dataFolder(f.Data, sys)
	return app.Config{Data: data, ConfigFile: f.Config, Getenv: sys.Getenv}, err
}

// opener opens what is kept: app.OpenAdmin, which makes the data folder where it
// is new, or app.OpenAdminExisting.
type opener func(ctx context.Context, cfg app.Config) (*app.Admin, error)

// with opens what is kept, works on it and closes it again.
func (f placeFlags) with(ctx context.Context, sys system, open opener, do func(*app.Admin) error) error {
	cfg, err := f.config(sys)
	if err != nil {
		return err
	}
	admin, err := open(ctx, cfg)
	if err != nil {
		return err
	}
	return errors.Join(do(admin), admin.Close())
}

// folderFlags say where things are kept, and whose they are.
type folderFlags struct {
	placeFlags
	Account string `help:"The account's id." default:"default"`
}

// dataFolder is the flag's, else the default.
func dataFolder(flag string, sys system) (string, error) {
	if flag != "" {
		return flag, nil
	}
	return app.DefaultData(sys.Getenv)
}

// keyNewCmd makes a key.
type keyNewCmd struct {
	folderFlags
	Scope []string `help:"What the key may do: verify, read, announce, admin; may be repeated." default:"verify" sep:","`
	Name  string   `help:"What the key is for, for the list."`
}

// Run prints the key and nothing else, so that it can be piped to a keeper.
func (c keyNewCmd) Run(ctx context.Context, sys system) error {
	scopes, err := parseScopes(c.Scope)
	if err != nil {
		return err
	}
	if err := account.CheckLabel(c.Name); err != nil {
		return usagef("--name: %w", err)
	}
	return c.with(ctx, sys, app.OpenAdmin, func(admin *app.Admin) error {
		token, _, err := admin.NewKey(ctx, c.Account, c.Name, scopes)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(sys.Out, token.Reveal())
		return err
	})
}

func parseScopes(names []string) ([]account.Scope, error) {
	var out []account.Scope
	for _, name := range names {
		s := account.Scope(name)
		if !slices.Contains(account.Scopes(), s) {
			return nil, usagef("unknown scope: want %s", joined(account.Scopes()))
		}
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return nil, usagef("--scope: want at least one of %s", joined(account.Scopes()))
	}
	return out, nil
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// printable escapes what would do something to a terminal, or to the table. A
// name may be older than its rules.
func printable(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unprintable(r) {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func joined(scopes []account.Scope) string {
	names := make([]string, len(scopes))
	for i, s := range scopes {
		names[i] = string(s)
	}
	return strings.Join(names, ", ")
}

// keyListCmd lists keys.
type keyListCmd struct{ folderFlags }

// Run prints a table, oldest key first.
func (c keyListCmd) Run(ctx context.Context, sys system) error {
	return c.with(ctx, sys, app.OpenAdminExisting, func(admin *app.Admin) error {
		keys, err := admin.Keys(ctx, c.Account)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(sys.Out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "ID\tNAME\tSCOPES\tCREATED\tREVOKED")
		for _, k := range keys {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", k.ID, orDash(printable(k.Name)), joined(k.Scopes), date(k.CreatedAt), date(k.RevokedAt))
		}
		return table.Flush()
	})
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func date(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// keyRevokeCmd ends a key.
type keyRevokeCmd struct {
	folderFlags
	ID string `arg:"" help:"The key's id, as key list shows it: the second part of the key."`
}

// Run revokes the key; once more is no error.
func (c keyRevokeCmd) Run(ctx context.Context, sys system) error {
	if strings.Contains(c.ID, "_") {
		return usagef("give the key's id, the part between the underscores, never the whole key")
	}
	return c.with(ctx, sys, app.OpenAdminExisting, func(admin *app.Admin) error { return admin.Revoke(ctx, c.Account, c.ID) })
}
