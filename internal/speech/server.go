package speech

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/secret"
)

// server is an engine behind HTTP, in the form of OpenAI's "Create speech":
// POST {base}/audio/speech, JSON in, a WAV file out.
type server struct {
	address string
	model   string
	voices  map[string]string // by language; empty: one voice for all
	key     secret.Text
	timeout time.Duration
	client  *http.Client
}

const (
	defaultModel = "tts-1"
	defaultVoice = "alloy"
)

func newServer(c EngineConfig) (*server, error) {
	base, err := url.Parse(c.URL)
	switch {
	case err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https":
		return nil, errors.New("url: want http://127.0.0.1:PORT/v1 or https://HOST/v1")
	case base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return nil, errors.New("url: want no user, query or fragment; a key has its own entry")
	case base.Scheme == "http" && !isLoopback(base.Hostname()):
		return nil, errors.New("url: want https, as the host is another machine")
	}
	s := &server{
		address: base.JoinPath("audio", "speech").String(),
		model:   c.Model, voices: c.Voices, key: c.Key, timeout: c.Timeout,
	}
	if s.model == "" {
		s.model = defaultModel
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	s.client = &http.Client{
		Transport: transport,
		// A redirect would carry the text, and perhaps the key, to someone else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s, nil
}

// isLoopback tells whether a host is this machine.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

func (s *server) Name() string { return EngineHTTP }

func (s *server) Languages() []string {
	if len(s.voices) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(s.voices))
}

// speechRequest is the body of "Create speech".
type speechRequest struct {
	Model  string `json:"model"`
	Input  string `json:"input"`
	Voice  string `json:"voice"`
	Format string `json:"response_format"`
}

func (s *server) Synthesize(ctx context.Context, lang, text string) (audio.Sound, error) {
	short, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	wav, err := s.fetch(short, lang, text)
	switch {
	case err == nil:
		return decodeWAV(wav)
	case ctx.Err() != nil:
		return audio.Sound{}, ctx.Err()
	case short.Err() != nil:
		return audio.Sound{}, errTimeout
	}
	return audio.Sound{}, err
}

func (s *server) fetch(ctx context.Context, lang, text string) ([]byte, error) {
	req, err := s.request(ctx, lang, text)
	if err != nil {
		return nil, err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask: %w", reason(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("answered %d", resp.StatusCode)
	}
	if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || !isSound(kind) {
		return nil, errors.New("answered with something other than sound")
	}
	wav, err := io.ReadAll(io.LimitReader(resp.Body, engineOutput+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read its answer: %w", reason(err))
	case len(wav) > engineOutput:
		return nil, errOutput
	}
	return wav, nil
}

func (s *server) request(ctx context.Context, lang, text string) (*http.Request, error) {
	voice := s.voices[lang]
	if voice == "" {
		voice = defaultVoice
	}
	body, err := json.Marshal(speechRequest{Model: s.model, Input: text, Voice: voice, Format: "wav"})
	if err != nil {
		return nil, fmt.Errorf("write the request: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.address, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("write the request: the address is malformed")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "audio/wav")
	if !s.key.IsZero() {
		req.Header.Set("Authorization", "Bearer "+s.key.Reveal())
	}
	return req, nil
}

func isSound(kind string) bool {
	return strings.HasPrefix(kind, "audio/") || kind == "application/octet-stream"
}

// reason is an error of the network by its kind: its words may hold addresses,
// and what the other end sent.
func reason(err error) error {
	var dial *net.OpError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return errTimeout
	case errors.As(err, &dial) && dial.Op == "dial":
		return errors.New("no connection")
	}
	return errors.New("the connection broke")
}
