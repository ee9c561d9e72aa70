package verify_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/verify"
)

// A callback token names its attempt to whoever has the keyring; nothing else is
// one.
func TestCallbackToken(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	attempt := secret.NewID(time.Now(), nil)
	token := h.CallbackToken(attempt).Reveal()
	if got, ok := h.CallbackAttempt(token); !ok || got != attempt {
		t.Fatalf("its own token names %q, %v", got, ok)
	}
	if other := h.CallbackToken(secret.NewID(time.Now(), nil)).Reveal(); len(token)-len(attempt) != 128/4 || other[len(attempt):] == token[len(attempt):] {
		t.Error("a token has 128 bits of its own")
	}
	forged := map[string]string{
		"empty": "", "the attempt alone": attempt, "the hash alone": token[len(attempt):], "cut": token[:len(token)-1],
		"longer": token + "0", "doubled": token + token, "in capitals": strings.ToUpper(token), "of no attempt": strings.Repeat("0", 58),
	}
	for i := range token {
		b := []byte(token)
		b[i] ^= 1
		forged["another character "+string(rune('0'+i))] = string(b)
	}
	elsewhere := newHouse(t, setup{})
	forged["of another keyring"] = elsewhere.CallbackToken(attempt).Reveal()
	for name, token := range forged {
		if _, ok := h.CallbackAttempt(token); ok {
			t.Errorf("%s is taken for a token", name)
		}
	}
}

func TestSignalHints(t *testing.T) {
	t.Parallel()
	s := verify.NewSignal()
	if s.Hint("a") {
		t.Error("nobody heeds it")
	}
	old, leave := s.Heed("a")
	news, done := s.Heed("a") // as it is taken over within the process
	leave()
	for range 3 {
		if !s.Hint("a") {
			t.Fatal("somebody heeds it")
		}
	}
	select {
	case <-news:
	case <-old:
		t.Error("the one who left was told")
	}
	done()
	if s.Hint("a") || len(news) != 0 {
		t.Error("after the end")
	}
}
