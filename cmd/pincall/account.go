package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/app"
)

// accountCmd manages accounts; servers may run meanwhile.
type accountCmd struct {
	New     accountNewCmd     `cmd:"" help:"Make an account and print its id."`
	List    accountListCmd    `cmd:"" help:"List the accounts."`
	Disable accountDisableCmd `cmd:"" help:"Stop an account's keys and client tokens; a running server does so within two seconds."`
	Enable  accountEnableCmd  `cmd:"" help:"Let a disabled account's keys and client tokens work again."`
}

// accountNewCmd makes an account.
type accountNewCmd struct {
	placeFlags
	Name string `arg:"" help:"Whose it is, for the list."`
}

// Run prints the id and nothing else: key new --account takes it.
func (c accountNewCmd) Run(ctx context.Context, sys system) error {
	return c.with(ctx, sys, app.OpenAdmin, func(admin *app.Admin) error {
		made, err := admin.NewAccount(ctx, c.Name)
		var faults account.Faults
		if errors.As(err, &faults) {
			return usagef("NAME: %s", faults[0].Reason)
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(sys.Out, made.ID)
		return err
	})
}

// accountListCmd lists accounts.
type accountListCmd struct{ placeFlags }

// Run prints a table, oldest account first.
func (c accountListCmd) Run(ctx context.Context, sys system) error {
	return c.with(ctx, sys, app.OpenAdminExisting, func(admin *app.Admin) error {
		list, err := admin.Accounts(ctx)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(sys.Out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "ID\tNAME\tCREATED\tSTATE")
		for _, a := range list {
			state := "enabled"
			if a.Disabled {
				state = "disabled"
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", a.ID, orDash(printable(a.Name)), date(a.CreatedAt), state)
		}
		return table.Flush()
	})
}

// accountID names an account.
type accountID struct {
	placeFlags
	ID string `arg:"" help:"The account's id, as account list shows it."`
}

func (c accountID) disable(ctx context.Context, sys system, disabled bool) error {
	return c.with(ctx, sys, app.OpenAdminExisting, func(admin *app.Admin) error {
		return admin.DisableAccount(ctx, c.ID, disabled)
	})
}

// accountDisableCmd stops an account.
type accountDisableCmd struct{ accountID }

// Run disables the account; once more is no error.
func (c accountDisableCmd) Run(ctx context.Context, sys system) error {
	return c.disable(ctx, sys, true)
}

// accountEnableCmd lets an account work again.
type accountEnableCmd struct{ accountID }

// Run enables the account; once more is no error.
func (c accountEnableCmd) Run(ctx context.Context, sys system) error {
	return c.disable(ctx, sys, false)
}

// auditCmd shows the audit log.
type auditCmd struct {
	folderFlags
	Limit int `help:"At most so many entries." default:"100"`
}

// Run prints the entries, the newest first, with what changed as JSON.
func (c auditCmd) Run(ctx context.Context, sys system) error {
	if c.Limit < 1 {
		return usagef("--limit: want a number above 0")
	}
	return c.with(ctx, sys, app.OpenAdminExisting, func(admin *app.Admin) error {
		clerk, err := admin.Clerk(ctx, c.Account)
		if err != nil {
			return err
		}
		list, err := clerk.Log(ctx, 0, c.Limit)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(sys.Out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "N\tAT\tBY\tACTION\tTARGET\tBEFORE\tAFTER")
		for _, e := range list {
			fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", e.N, date(e.At), e.By, e.Action, printable(e.Target),
				orDash(printable(string(e.Before))), orDash(printable(string(e.After))))
		}
		return table.Flush()
	})
}
