package sphinx

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/pincall/pincall/bench/ear/line"
)

// Voice is a synthetic voice of Debian, as a carrier's text-to-speech is.
type Voice struct {
	Program string // flite or espeak-ng
	Name    string
	Slow    float64 // how much longer everything takes; zero: as it is
}

var readers = [...]Voice{
	{Program: "flite", Name: "rms"}, {Program: "espeak-ng", Name: "en-us"}, {Program: "flite", Name: "slt"},
	{Program: "flite", Name: "awb"}, {Program: "espeak-ng", Name: "en-gb"}, {Program: "flite", Name: "kal16"},
}

// espeakPace is espeak-ng's own pace, in words a minute.
const espeakPace = 175

// Read is a text as the voice reads it, at line.Rate, through G.711.
func (v Voice) Read(ctx context.Context, text string) ([]int16, error) {
	dir, err := os.MkdirTemp("", "ear-voice-")
	if err != nil {
		return nil, fmt.Errorf("read a text: %w", err)
	}
	defer os.RemoveAll(dir)
	wide := filepath.Join(dir, "wide.wav")
	slow := max(v.Slow, 1)
	if v.Program == "flite" {
		err = line.Run(ctx, "flite", "-voice", v.Name, "--setf", fmt.Sprintf("duration_stretch=%.2f", slow), "-t", text, "-o", wide)
	} else {
		err = line.Run(ctx, "espeak-ng", "-v", v.Name, "-s", strconv.Itoa(int(espeakPace/slow)), "-w", wide, text)
	}
	if err != nil {
		return nil, fmt.Errorf("read a text: %w", err)
	}
	return line.Narrow(ctx, wide)
}
