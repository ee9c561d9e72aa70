package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/app"
	"github.com/pincall/pincall/internal/script"
)

// templateCmd manages the words of services; a server may run meanwhile.
type templateCmd struct {
	Put    templatePutCmd    `cmd:"" help:"Judge a template and save it; a running server uses it within two seconds."`
	Show   templateShowCmd   `cmd:"" help:"Print a template as JSON."`
	Delete templateDeleteCmd `cmd:"" help:"Say our own words again."`
}

// templateID names a service's template.
type templateID struct {
	folderFlags
	Service string `arg:"" help:"The service's id."`
	Lang    string `arg:"" help:"The language, such as en."`
}

// on acts on the account, in the language that is meant.
func (c templateID) on(ctx context.Context, sys system, do func(clerk account.Clerk, lang string) error) error {
	lang := c.Lang
	if !slices.Contains(script.Languages(), lang) {
		return usagef("LANG: want one of %s: a template is for a language, not for a region", strings.Join(script.Languages(), ", "))
	}
	return c.with(ctx, sys, app.OpenAdminExisting, func(admin *app.Admin) error {
		clerk, err := admin.Clerk(ctx, c.Account)
		if err != nil {
			return err
		}
		err = do(clerk, lang)
		if errors.Is(err, account.ErrNotFound) {
			return errors.New("the account has no such service, or the service no such template")
		}
		return err
	})
}

// templatePutCmd saves a template.
type templatePutCmd struct {
	templateID
	File string `arg:"" help:"YAML or JSON, with phrases and sms; - is the standard input."`
}

// Run saves what the linter finds nothing in, and prints what it finds.
func (c templatePutCmd) Run(ctx context.Context, sys system) error {
	data, err := c.read(sys)
	if err != nil {
		return err
	}
	t, err := script.ParseTemplate(c.Lang, data)
	if err != nil {
		return usageError{err}
	}
	if problems := script.LintTemplate(t); len(problems) > 0 {
		for _, p := range problems {
			fmt.Fprintf(sys.Err, "%s: %s\n", printable(p.Place), printable(p.Reason))
		}
		return usagef("the template was not saved: %d places to mend", len(problems))
	}
	return c.on(ctx, sys, func(clerk account.Clerk, _ string) error {
		_, err := clerk.PutTemplate(ctx, c.Service, t)
		return err
	})
}

// read reads no more than a template may have, and a little, so that a longer one
// is refused as too long.
func (c templatePutCmd) read(sys system) ([]byte, error) {
	const most = 1 << 20
	in := sys.In
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return nil, usageError{err}
		}
		defer f.Close()
		in = f
	}
	return io.ReadAll(io.LimitReader(in, most))
}

// templateShowCmd prints a template.
type templateShowCmd struct{ templateID }

// Run prints JSON that put takes.
func (c templateShowCmd) Run(ctx context.Context, sys system) error {
	return c.on(ctx, sys, func(clerk account.Clerk, lang string) error {
		s, err := clerk.Service(ctx, c.Service)
		if err != nil {
			return err
		}
		t, ok := s.Templates[lang]
		if !ok {
			return account.ErrNotFound
		}
		e := json.NewEncoder(sys.Out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(t)
	})
}

// templateDeleteCmd removes a template.
type templateDeleteCmd struct{ templateID }

// Run removes the template.
func (c templateDeleteCmd) Run(ctx context.Context, sys system) error {
	return c.on(ctx, sys, func(clerk account.Clerk, lang string) error {
		_, err := clerk.DeleteTemplate(ctx, c.Service, lang)
		return err
	})
}
