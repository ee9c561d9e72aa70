package speech

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/secret"
)

const testKey = "sk-test-key"

// serve starts a speech server and gives the engine that asks it.
func serve(t *testing.T, timeout time.Duration, answer http.HandlerFunc) Engine {
	t.Helper()
	srv := httptest.NewServer(answer)
	t.Cleanup(srv.Close)
	e, err := NewEngine(EngineConfig{
		Name: EngineHTTP, URL: srv.URL + "/v1", Model: "kokoro", Key: secret.NewText(testKey),
		Voices: map[string]string{"en": "af_heart", "ja": "jf_alpha"}, Timeout: timeout,
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestServer(t *testing.T) {
	t.Parallel()
	wav := tone(24000, 440, time.Second).WAV()
	e := serve(t, 0, func(w http.ResponseWriter, r *http.Request) {
		var got map[string]string
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		want := map[string]string{"model": "kokoro", "input": "本屋", "voice": "jf_alpha", "response_format": "wav"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if r.Method != http.MethodPost || r.URL.Path != "/v1/audio/speech" || r.Header.Get("Authorization") != "Bearer "+testKey {
			t.Errorf("%s %s", r.Method, r.URL.Path)
		}
		w.Header().Set("Content-Type", "audio/wav")
		_, _ = w.Write(wav)
	})
	s, err := e.Synthesize(t.Context(), "ja", "本屋")
	if err != nil {
		t.Fatal(err)
	}
	if s.Rate != 24000 || s.Duration() != 1100*time.Millisecond {
		t.Errorf("%d Hz, %v", s.Rate, s.Duration())
	}
	if diff := cmp.Diff([]string{"en", "ja"}, e.Languages()); diff != "" {
		t.Error(diff)
	}
}

func TestServerFails(t *testing.T) {
	t.Parallel()
	const text = "Book Shop"
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(other.Close)
	sound := func(w http.ResponseWriter) { w.Header().Set("Content-Type", "audio/wav") }
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   error
	}{
		"slow": {func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, errTimeout},
		"slow body": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			sound(w)
			_, _ = w.Write([]byte("RIFF"))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, errTimeout},
		"huge": {func(w http.ResponseWriter, _ *http.Request) {
			sound(w)
			chunk := make([]byte, 1<<20)
			for range 12 {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}, errOutput},
		"garbage": {func(w http.ResponseWriter, r *http.Request) {
			sound(w)
			_, _ = io.Copy(w, r.Body)
		}, nil},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			sound(w)
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte("RIFF"))
		}, nil},
		"wrong type": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.Copy(w, r.Body)
		}, nil},
		"no type": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			_, _ = w.Write(tone(8000, 440, time.Second).WAV())
		}, nil},
		"401": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, r.Header.Get("Authorization"))
		}, nil},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+"/v1/audio/speech", http.StatusTemporaryRedirect)
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			timeout := 10 * time.Second
			if errors.Is(c.want, errTimeout) {
				timeout = 200 * time.Millisecond
			}
			_, err := serve(t, timeout, c.answer).Synthesize(t.Context(), "en", text)
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if s := err.Error(); strings.Contains(s, "Shop") || strings.Contains(s, testKey) {
				t.Errorf("the error tells too much: %s", s)
			}
			if elsewhere.Load() != 0 {
				t.Error("the redirect was followed")
			}
		})
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	e, err := NewEngine(EngineConfig{Name: EngineHTTP, URL: gone.URL + "/v1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Synthesize(t.Context(), "en", text); err == nil || strings.Contains(err.Error(), "Shop") {
		t.Errorf("a server that is gone: %v", err)
	}
}
