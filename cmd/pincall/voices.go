package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pincall/pincall/internal/speech"
)

// voicesCmd groups what is asked about voices.
type voicesCmd struct {
	List  voicesListCmd  `cmd:"" help:"List the voices and engines that are there."`
	Check voicesCheckCmd `cmd:"" help:"Listen to own recordings and say what is missing or wrong."`
}

// voicesListCmd lists voices.
type voicesListCmd struct{}

// Run prints a line a voice and a line an engine.
func (voicesListCmd) Run(sys system) error {
	packs, err := speech.Packs()
	if err != nil {
		return err
	}
	for _, lang := range slices.Sorted(maps.Keys(packs)) {
		p := packs[lang]
		fmt.Fprintf(sys.Out, "%-4s %s, %s\n", lang, p.Voice, p.Licence)
	}
	engines := speech.Installed()
	for _, e := range engines {
		fmt.Fprintf(sys.Out, "engine %s: %s\n", e.Name(), strings.Join(e.Languages(), " "))
	}
	if len(engines) == 0 {
		fmt.Fprintln(sys.Out, "no engine: a brand, an amount or a payee cannot be said; install espeak-ng")
	}
	return nil
}

// voicesCheckCmd listens to recordings.
type voicesCheckCmd struct {
	Dir  string `arg:"" help:"A folder of recordings: a folder for each language, or the files of one."`
	Lang string `help:"Check this language only; needed where the folder's name does not tell it."`
}

// Run prints a line a unit; with a fault the status is 1.
func (c voicesCheckCmd) Run(sys system) error {
	if c.Lang != "" {
		if err := checkLang(c.Lang); err != nil {
			return err
		}
	}
	all, err := speech.Check(c.Dir, c.Lang)
	if err != nil {
		return usageError{err}
	}
	faulty := 0
	for _, found := range all {
		printChecked(sys, found)
		faulty += found.Faulty()
	}
	if faulty > 0 {
		return fmt.Errorf("%d %s", faulty, plural(faulty, "fault", "faults"))
	}
	return nil
}

func printChecked(sys system, c speech.Checked) {
	faulty := 0
	for _, u := range c.Units {
		if len(u.Faults) > 0 {
			faulty++
			fmt.Fprintf(sys.Out, "%s %-20s %s\n", c.Lang, u.Name, strings.Join(u.Faults, "; "))
			continue
		}
		fmt.Fprintf(sys.Out, "%s %-20s ok, %d %s, %.2f s, %.0f dBFS\n", c.Lang, u.Name,
			u.Files, plural(u.Files, "rendition", "renditions"), u.Length.Seconds(), u.Level)
	}
	for _, file := range c.Strays {
		fmt.Fprintf(sys.Out, "%s %-20s no unit has this name\n", c.Lang, file)
	}
	fmt.Fprintf(sys.Out, "%s: %d units, %d in order, %d with faults or missing; %d unknown %s\n",
		c.Lang, len(c.Units), len(c.Units)-faulty, faulty, len(c.Strays), plural(len(c.Strays), "file", "files"))
}

// plural chooses a word by a count.
func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
