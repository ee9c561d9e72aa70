package main

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/pincall/pincall/internal/script"
)

// tools are the programs that render and listen, and what they need to know of
// each language.
//
//go:embed *.py languages.yaml requirements.txt
var tools embed.FS

// styles is the npm package that carries the speakers of the model.
const styles = "kokoro-js@1.2.1"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "render:", err)
		os.Exit(1)
	}
}

// run renders the packs that the arguments name.
func run(ctx context.Context, args []string) error {
	home, err := os.UserCacheDir()
	if err != nil {
		return fmt.Errorf("find the cache folder: %w", err)
	}
	flags := flag.NewFlagSet("render", flag.ContinueOnError)
	langs := flags.String("lang", "en,ja,es,fr,it,pt", "`languages` to render, with commas")
	cache := flags.String("cache", filepath.Join(home, "pincall-render"), "`folder` of models and tools, about 1.5 GB")
	out := flags.String("out", "packs", "`folder` of the packs")
	voices := flags.String("voices", "", "compare these `voices` of one language and write nothing")
	if err := flags.Parse(args); err != nil {
		return err
	}
	r := renderer{cache: *cache, compare: strings.FieldsFunc(*voices, func(c rune) bool { return c == ',' })}
	if r.out, err = filepath.Abs(*out); err != nil {
		return fmt.Errorf("find the packs: %w", err)
	}
	if err := r.prepare(ctx); err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	for lang := range strings.SplitSeq(*langs, ",") {
		if err := r.pack(ctx, lang); err != nil {
			return fmt.Errorf("render %s: %w", lang, err)
		}
	}
	return nil
}

// renderer drives the tools in its cache folder.
type renderer struct {
	cache, out string
	compare    []string // voices; empty: render
}

// prepare lays out the tools, and installs what they need if it is not there.
func (r renderer) prepare(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Join(r.cache, "styles"), 0o755); err != nil {
		return err
	}
	files, err := tools.ReadDir(".")
	if err != nil {
		return err
	}
	for _, f := range files {
		data, err := tools.ReadFile(f.Name())
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(r.cache, f.Name()), data, 0o644); err != nil {
			return err
		}
	}
	if !r.has("venv") {
		if err := r.tool(ctx, "python3", "-m", "venv", "venv"); err != nil {
			return err
		}
	}
	if err := r.tool(ctx, r.python(), "-m", "pip", "install", "--quiet", "-r", "requirements.txt"); err != nil {
		return err
	}
	if r.has("styles/package") {
		return nil
	}
	if err := r.tool(ctx, "npm", "pack", "--silent", "--pack-destination", "styles", styles); err != nil {
		return err
	}
	return r.tool(ctx, "tar", "-xzf", "styles/"+strings.Replace(styles, "@", "-", 1)+".tgz", "-C", "styles")
}

func (r renderer) has(name string) bool {
	_, err := os.Stat(filepath.Join(r.cache, name))
	return err == nil
}

func (r renderer) python() string { return filepath.Join(r.cache, "venv", "bin", "python") }

// pack renders one language, or compares voices for it.
func (r renderer) pack(ctx context.Context, lang string) error {
	in, err := units(lang)
	if err != nil {
		return err
	}
	args := append([]string{"render.py", lang, "languages.yaml", "."}, r.compare...)
	if len(r.compare) == 0 {
		if err := os.MkdirAll(r.out, 0o755); err != nil {
			return err
		}
		args = append(args, r.out)
	}
	cmd := r.command(ctx, r.python(), args...)
	cmd.Stdin = bytes.NewReader(in)
	return cmd.Run()
}

func (r renderer) tool(ctx context.Context, name string, args ...string) error {
	if err := r.command(ctx, name, args...).Run(); err != nil {
		return fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return nil
}

func (r renderer) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = r.cache
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return cmd
}

// unit is one thing to say, as render.py reads it.
type unit struct {
	Unit    string `json:"unit"` // the name of its files, less rendition and suffix
	Words   string `json:"words"`
	Digit   int    `json:"digit"`   // -1: a phrase
	Carrier bool   `json:"carrier"` // a digit behind the carrier word
	Order   int    `json:"order"`   // in pack.yaml
}

// units are the units of a language, one JSON object a line.
func units(lang string) ([]byte, error) {
	parts, err := script.Units(lang)
	if err != nil {
		return nil, err
	}
	var lines bytes.Buffer
	e := json.NewEncoder(&lines)
	seen := map[byte]bool{}
	for i, p := range parts {
		u := unit{Unit: p.Phrase, Words: p.Words, Digit: -1, Order: i}
		if p.Kind == script.KindDigit {
			// The plain digit comes first, behind the carrier word comes second.
			u.Digit, u.Carrier = int(p.Digit-'0'), seen[p.Digit]
			u.Unit = map[bool]string{false: "digit-", true: "number-"}[u.Carrier] + string(rune(p.Digit))
			seen[p.Digit] = true
		}
		if err := e.Encode(u); err != nil {
			return nil, fmt.Errorf("write the units: %w", err)
		}
	}
	return lines.Bytes(), nil
}
