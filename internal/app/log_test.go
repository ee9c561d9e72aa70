package app

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestLogIsWrittenInTime shows that a line alone and a warning are written at once,
// that nothing of a burst is lost, and that no line of it waits for another one.
func TestLogIsWrittenInTime(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		path := filepath.Join(t.TempDir(), "log")
		file, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		log, flush := Config{Stderr: file}.logger(LogFile{Format: format})
		written := func() int {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			return strings.Count(string(b), "\n")
		}
		log = log.With("a", 1).WithGroup("b")
		log.Info("alone")
		if n := written(); n != 1 {
			t.Errorf("%s: %d lines after the first", format, n)
		}
		for range 1000 {
			log.Info("burst")
		}
		log.Warn("warning")
		if n := written(); n != 1002 {
			t.Errorf("%s: %d lines after a warning", format, n)
		}
		log.Info("last")
		flush()
		if n := written(); n != 1003 {
			t.Errorf("%s: %d lines after flush", format, n)
		}
		log.Info("alone again")
		for began := time.Now(); written() != 1004; time.Sleep(time.Millisecond) {
			if time.Since(began) > 10*time.Second {
				t.Fatalf("%s: a line was not written by itself", format)
			}
		}
	}
}

// TestLogElsewhereIsNotKept shows that what is no file gets each line as it comes.
func TestLogElsewhereIsNotKept(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	log, flush := Config{Stderr: &out}.logger(LogFile{})
	log.Info("one")
	log.Info("two", slog.Int("n", 2))
	if n := strings.Count(out.String(), "\n"); n != 2 {
		t.Errorf("%d lines", n)
	}
	flush()
}
