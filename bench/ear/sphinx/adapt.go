package sphinx

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/pincall/pincall/bench/ear/line"
)

const (
	model   = "/usr/share/pocketsphinx/model/en-us/en-us"
	spelt   = "/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict"
	trainer = "/usr/lib/sphinxtrain"
	rounds  = 2
	// ownTimes is how often each of the caller's utterances is heard, over
	// another line each time: they are few, and theirs is the voice that matters.
	ownTimes = 8
)

// files of a model that adaptation does not touch.
var kept = [...]string{"mdef", "mdef.txt", "feat.params", "noisedict"}

// Adapt makes a model in dir that is used to the telephone and to these voices:
// the wide-band English model of Debian's pocketsphinx-en-us, after two rounds of
// MAP adaptation by Debian's sphinxtrain. No digit is in what it hears. It needs
// about three minutes; dir appears when all is done.
func Adapt(ctx context.Context, dir string, own []Utterance) error {
	work, err := os.MkdirTemp(filepath.Dir(dir), "adapting-")
	if err != nil {
		return fmt.Errorf("adapt: %w", err)
	}
	defer os.RemoveAll(work)
	all, err := corpus(ctx, own, ownTimes)
	if err != nil {
		return fmt.Errorf("adapt: %w", err)
	}
	if err := hear(ctx, work, all); err != nil {
		return fmt.Errorf("adapt: %w", err)
	}
	first := filepath.Join(work, "model0")
	if err := unpack(ctx, first); err != nil {
		return fmt.Errorf("adapt: %w", err)
	}
	last := first
	for n := range rounds {
		next := filepath.Join(work, fmt.Sprintf("model%d", n+1))
		if err := round(ctx, work, last, next); err != nil {
			return fmt.Errorf("adapt: round %d: %w", n+1, err)
		}
		last = next
	}
	err = line.Run(ctx, trainer+"/mk_s2sendump", "-pocketsphinx", "yes", "-moddeffn", last+"/mdef.txt",
		"-mixwfn", last+"/mixture_weights", "-sendumpfn", last+"/sendump")
	if err != nil {
		return fmt.Errorf("adapt: %w", err)
	}
	return os.Rename(last, dir)
}

// hear writes the utterances as the listener hears them, their features, and
// what is said in them.
func hear(ctx context.Context, work string, all []Utterance) error {
	known, err := dictionary()
	if err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(work, "sound"), 0o755); err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var ids, said strings.Builder
	for i, u := range all {
		w := words(u.Words)
		if digitWords.MatchString(strings.Join(w, " ")) {
			return fmt.Errorf("a digit in %q", u.Words)
		}
		if !allKnown(w, known) {
			continue
		}
		name := fmt.Sprintf("u%04d", i)
		wide := line.Widen(roughen(u.Sound, rng), rng)
		if err := line.WriteWAV(filepath.Join(work, "sound", name+".wav"), 2*line.Rate, wide); err != nil {
			return err
		}
		fmt.Fprintln(&ids, name)
		fmt.Fprintf(&said, "<s> %s </s> (%s)\n", strings.Join(w, " "), name)
	}
	err = errors.Join(os.WriteFile(filepath.Join(work, "ids"), []byte(ids.String()), 0o644),
		os.WriteFile(filepath.Join(work, "said"), []byte(said.String()), 0o644))
	if err != nil {
		return err
	}
	return line.Run(ctx, "sphinx_fe", "-argfile", model+"/feat.params", "-samprate", "16000", "-c", work+"/ids",
		"-di", work+"/sound", "-do", work+"/sound", "-ei", "wav", "-eo", "mfc", "-mswav", "yes")
}

func dictionary() (map[string]bool, error) {
	b, err := os.ReadFile(spelt)
	if err != nil {
		return nil, fmt.Errorf("%w (apt-get install pocketsphinx-en-us)", err)
	}
	known := map[string]bool{}
	for l := range strings.Lines(string(b)) {
		word, _, _ := strings.Cut(l, " ")
		known[word] = true
	}
	return known, nil
}

func allKnown(words []string, known map[string]bool) bool {
	for _, w := range words {
		if !known[w] {
			return false
		}
	}
	return len(words) > 0
}

// unpack copies Debian's model in the forms that the trainer reads.
func unpack(ctx context.Context, dir string) error {
	if err := os.CopyFS(dir, os.DirFS(model)); err != nil {
		return err
	}
	if err := line.Run(ctx, "pocketsphinx_mdef_convert", "-text", dir+"/mdef", dir+"/mdef.txt"); err != nil {
		return err
	}
	packed, err := os.ReadFile(dir + "/sendump")
	if err != nil {
		return err
	}
	weights, err := mixtureWeights(packed)
	if err != nil {
		return err
	}
	return os.WriteFile(dir+"/mixture_weights", weights, 0o644)
}

// round counts how the sounds of the corpus differ from those of a model, and
// moves the model towards them.
func round(ctx context.Context, work, from, to string) error {
	if err := os.Mkdir(to, 0o755); err != nil {
		return err
	}
	for _, name := range kept {
		b, err := os.ReadFile(filepath.Join(from, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), b, 0o644)
		}
		if err != nil {
			return err
		}
	}
	err := line.Run(ctx, trainer+"/bw", "-hmmdir", from, "-moddeffn", from+"/mdef.txt", "-mixwfn", from+"/mixture_weights",
		"-ts2cbfn", ".ptm.", "-feat", "1s_c_d_dd", "-svspec", "0-12/13-25/26-38", "-cmn", "current", "-agc", "none",
		"-dictfn", spelt, "-fdictfn", from+"/noisedict", "-ctlfn", work+"/ids", "-lsnfn", work+"/said",
		"-cepdir", work+"/sound", "-cepext", "mfc", "-accumdir", to)
	if err != nil {
		return err
	}
	return line.Run(ctx, trainer+"/map_adapt", "-moddeffn", from+"/mdef.txt", "-ts2cbfn", ".ptm.",
		"-meanfn", from+"/means", "-varfn", from+"/variances", "-mixwfn", from+"/mixture_weights", "-tmatfn", from+"/transition_matrices",
		"-accumdir", to, "-mapmeanfn", to+"/means", "-mapvarfn", to+"/variances", "-mapmixwfn", to+"/mixture_weights",
		"-maptmatfn", to+"/transition_matrices")
}
