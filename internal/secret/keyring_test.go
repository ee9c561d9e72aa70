package secret_test

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/secret"
)

// rotated is the file of a keyring that made "k1" first and uses "k2" now; without the old key when old is false.
func rotated(t *testing.T, old bool) *secret.Keyring {
	t.Helper()
	k := func(id string, b byte) string {
		return fmt.Sprintf(`{"id":%q,"secret":%q,"created_at":"2026-01-01T00:00:00Z"}`, id, b64(b))
	}
	keys := k("k2", 2)
	if old {
		keys = k("k1", 1) + "," + keys
	}
	return mustLoad(t, fmt.Sprintf(`{"version":1,"current":"k2","index_key":%q,"keys":[%s]}`, b64(9), keys))
}

// first is the same keyring before the rotation.
func first(t *testing.T) *secret.Keyring {
	t.Helper()
	return mustLoad(t, fmt.Sprintf(`{"version":1,"current":"k1","index_key":%q,"keys":[{"id":"k1","secret":%q,"created_at":"2026-01-01T00:00:00Z"}]}`, b64(9), b64(1)))
}

func b64(b byte) string { return base64.StdEncoding.EncodeToString(slices.Repeat([]byte{b}, 32)) }

func mustLoad(t *testing.T, content string) *secret.Keyring {
	t.Helper()
	k, err := secret.LoadKeyring(writeKeyfile(t, content, 0o600))
	if err != nil {
		t.Fatalf("LoadKeyring: %v", err)
	}
	return k
}

func writeKeyfile(t *testing.T, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keyring.json")
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return path
}

// The bytes are fixed by the document, not by the code: HMAC-SHA-256 with an HKDF key over length-prefixed fields.
func TestMACIsWhatItSaysItIs(t *testing.T) {
	t.Parallel()
	got, err := first(t).MAC("k1", "d", "ab", "")
	if err != nil {
		t.Fatal(err)
	}
	sub, err := hkdf.Key(sha256.New, slices.Repeat([]byte{1}, 32), nil, "pincall/v1/mac/d", 32)
	if err != nil {
		t.Fatal(err)
	}
	h := hmac.New(sha256.New, sub)
	h.Write([]byte("\x00\x00\x00\x00\x00\x00\x00\x02ab\x00\x00\x00\x00\x00\x00\x00\x00"))
	if !secret.Equal(got, h.Sum(nil)) {
		t.Error("MAC differs from its definition")
	}
}

func TestMACSeparates(t *testing.T) {
	t.Parallel()
	k := rotated(t, true)
	seen := map[string]string{}
	for name, in := range map[string][]string{
		"base": {"k2", "d", "ab", "c"}, "moved": {"k2", "d", "a", "bc"}, "joined": {"k2", "d", "abc"}, "more": {"k2", "d", "ab", "c", ""},
		"swapped": {"k2", "d", "c", "ab"}, "domain": {"k2", "e", "ab", "c"}, "key": {"k1", "d", "ab", "c"}, "none": {"k2", "d"},
	} {
		mac, err := k.MAC(in[0], in[1], in[2:]...)
		if err != nil || len(mac) != 32 {
			t.Fatalf("%s: %d bytes, error %v", name, len(mac), err)
		}
		if other, taken := seen[string(mac)]; taken {
			t.Errorf("%s and %s have the same MAC", name, other)
		}
		seen[string(mac)] = name
		if again, _ := k.MAC(in[0], in[1], in[2:]...); !secret.Equal(mac, again) {
			t.Errorf("%s: the MAC changes", name)
		}
	}
	if _, err := k.MAC("k3", "d"); !errors.Is(err, secret.ErrUnknownKey) {
		t.Errorf("unknown key: error %v", err)
	}
}

func TestSealOpen(t *testing.T) {
	t.Parallel()
	k := first(t)
	for _, plaintext := range []string{"", "012345", strings.Repeat("x", 1000)} {
		blob, err := k.Seal([]byte(plaintext), "d", "account", "id")
		if err != nil {
			t.Fatal(err)
		}
		if want := 1 + 1 + len("k1") + 24 + len(plaintext) + 16; len(blob) != want || string(blob[:4]) != "\x01\x02k1" {
			t.Errorf("blob of %d bytes, want %d, head %x", len(blob), want, blob[:4])
		}
		got, err := k.Open(blob, "d", "account", "id")
		if err != nil || string(got) != plaintext {
			t.Errorf("%d bytes came back as %d, error %v", len(plaintext), len(got), err)
		}
	}
	a, _ := k.Seal([]byte("same"), "d")
	b, _ := k.Seal([]byte("same"), "d")
	if slices.Equal(a, b) {
		t.Error("two seals of one text are equal")
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	k := first(t)
	blob, err := k.Seal([]byte("012345"), "d", "ab", "c")
	if err != nil {
		t.Fatal(err)
	}
	for name, bound := range map[string][]string{
		"other domain": {"e", "ab", "c"}, "moved": {"d", "a", "bc"}, "missing": {"d", "ab"}, "more": {"d", "ab", "c", ""}, "other": {"d", "ab", "d"},
	} {
		if _, err := k.Open(blob, bound[0], bound[1:]...); !errors.Is(err, secret.ErrCannotOpen) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	for i := range blob {
		if _, err := k.Open(blob[:i], "d", "ab", "c"); err == nil {
			t.Errorf("opens when cut to %d bytes", i)
		}
		changed := slices.Clone(blob)
		changed[i] ^= 1
		if _, err := k.Open(changed, "d", "ab", "c"); err == nil {
			t.Errorf("opens with byte %d changed", i)
		}
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	before, after, lost := first(t), rotated(t, true), rotated(t, false)
	if before.Current() != "k1" || after.Current() != "k2" {
		t.Errorf("current is %s, then %s", before.Current(), after.Current())
	}
	blob, _ := before.Seal([]byte("012345"), "d")
	if got, err := after.Open(blob, "d"); err != nil || string(got) != "012345" {
		t.Errorf("the old key no longer opens: %v", err)
	}
	if _, err := lost.Open(blob, "d"); !errors.Is(err, secret.ErrUnknownKey) {
		t.Errorf("a removed key: error %v", err)
	}
	sealed, _ := after.Seal([]byte("x"), "d")
	if string(sealed[2:4]) != "k2" {
		t.Error("the current key does not seal")
	}
	if !secret.Equal(before.Index("n", "v"), after.Index("n", "v")) || before.CheckValue() != after.CheckValue() {
		t.Error("the index or the check value rotated")
	}
}

func TestIndexAndCheckValue(t *testing.T) {
	t.Parallel()
	a, b := first(t), mustNew(t)
	if len(a.Index("n", "v")) != 16 || len(a.CheckValue()) != 32 {
		t.Errorf("index of %d bytes, check value of %d", len(a.Index("n", "v")), len(a.CheckValue()))
	}
	if secret.Equal(a.Index("n", "v"), a.Index("n", "w")) || secret.Equal(a.Index("n", "v"), a.Index("m", "v")) ||
		secret.Equal(a.Index("n", "v"), b.Index("n", "v")) {
		t.Error("indexes of different values, domains or keyrings are equal")
	}
	if a.CheckValue() == b.CheckValue() {
		t.Error("two keyrings have one check value")
	}
}

func mustNew(tb testing.TB) *secret.Keyring {
	tb.Helper()
	k, err := secret.NewKeyring(nil, time.Now())
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// Domains are met for the first time by many goroutines at once: all must derive the same key. The race detector watches.
func TestKeyringIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	k := first(t)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				domain := fmt.Sprint((i + g) % 10)
				blob, err := k.Seal([]byte("x"), domain)
				if err != nil {
					t.Error(err)
				}
				if _, err := k.Open(blob, domain); err != nil {
					t.Error(err)
				}
				want, _ := first(t).MAC("k1", domain, "f")
				if got, _ := k.MAC("k1", domain, "f"); !secret.Equal(got, want) {
					t.Errorf("domain %s: another MAC", domain)
				}
				k.Index(domain, "v")
			}
		})
	}
	wg.Wait()
}

func FuzzOpen(f *testing.F) {
	k := mustNew(f)
	blob, _ := k.Seal([]byte("012345"), "d")
	f.Add(blob)
	f.Add([]byte{1, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := k.Open(b, "d"); err == nil && !slices.Equal(b, blob) {
			t.Fatal("opens what was not sealed")
		}
	})
}

func BenchmarkMAC(b *testing.B) {
	k := mustNew(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, _ = k.MAC("k1", "verify/code", "acc", "svc", "01h", "login", "012345")
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	k := mustNew(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, _ = k.Seal([]byte("012345"), "verify/code", "acc", "01h")
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	k := mustNew(b)
	blob, _ := k.Seal([]byte("012345"), "verify/code", "acc", "01h")
	b.ReportAllocs()
	for b.Loop() {
		_, _ = k.Open(blob, "verify/code", "acc", "01h")
	}
}

func BenchmarkIndex(b *testing.B) {
	k := mustNew(b)
	b.ReportAllocs()
	for b.Loop() {
		k.Index("number", "+818012345209")
	}
}

func BenchmarkNewCode(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, _ = secret.NewCode(nil, 6)
	}
}
