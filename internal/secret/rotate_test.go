package secret

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

func newFile(t *testing.T, at time.Time) (string, *Keyring) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keyring.json")
	k, err := NewKeyring(nil, at)
	if err != nil {
		t.Fatal(err)
	}
	if err := CreateKeyring(path, k); err != nil {
		t.Fatal(err)
	}
	return path, k
}

func TestRotate(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	path, k := newFile(t, at)
	old, err := k.Seal([]byte("words"), "d", "a")
	if err != nil {
		t.Fatal(err)
	}
	mac, err := k.MAC("k1", "d", "x")
	if err != nil {
		t.Fatal(err)
	}
	index, check := k.Index("d", "x"), k.CheckValue()
	did, err := RotateKeyring(path, at.Add(time.Hour), nil)
	if err != nil || did.Current != "k2" || !slices.Equal(did.Kept, []string{"k1"}) || did.Dropped != nil {
		t.Fatalf("rotation %+v, %v", did, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if changed, err := k.Reload(path); !changed || err != nil || k.Current() != "k2" {
		t.Fatalf("reload: %v, %v, current %s", changed, err, k.Current())
	}
	if changed, err := k.Reload(path); changed || err != nil {
		t.Errorf("a second reload: %v, %v", changed, err)
	}
	if b, err := k.Open(old, "d", "a"); err != nil || string(b) != "words" {
		t.Errorf("what the old key has sealed: %v", err)
	}
	if again, err := k.MAC("k1", "d", "x"); err != nil || !slices.Equal(again, mac) {
		t.Errorf("the old key's hash: %v", err)
	}
	if !slices.Equal(k.Index("d", "x"), index) || k.CheckValue() != check {
		t.Error("the index key has changed")
	}
	fresh, err := k.Seal([]byte("words"), "d", "a")
	if err != nil || !slices.Equal(fresh[:4], KeyMark("k2")) {
		t.Errorf("sealed with another key than the new one: %v", err)
	}
	names, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if err != nil || len(names) != 1 {
		t.Errorf("files left: %v, %v", names, err)
	}
}

func TestDropping(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	path, _ := newFile(t, at)
	unused := func(id string) (bool, error) { return id != "k2", nil }
	for _, tt := range []struct {
		after         time.Duration
		kept, dropped []string
	}{
		{time.Hour, []string{"k1"}, nil},                     // k1 was current until now
		{time.Hour + time.Second, []string{"k1", "k2"}, nil}, // and a moment ago
		{2 * time.Hour, []string{"k2", "k3"}, []string{"k1"}},
		{3 * time.Hour, []string{"k2", "k4"}, []string{"k3"}}, // k2 is in use
	} {
		did, err := RotateKeyring(path, at.Add(tt.after), unused)
		if err != nil || !slices.Equal(did.Kept, tt.kept) || !slices.Equal(did.Dropped, tt.dropped) {
			t.Errorf("after %v: %+v, %v", tt.after, did, err)
		}
	}
	broken := errors.New("broken")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := RotateKeyring(path, at.Add(5*time.Hour), func(string) (bool, error) { return true, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || !slices.Equal(before, after) {
		t.Error("a failed rotation changed the file")
	}
}

func TestReloadRefuses(t *testing.T) {
	t.Parallel()
	path, k := newFile(t, time.Now())
	other, _ := newFile(t, time.Now())
	if _, err := k.Reload(other); !errors.Is(err, ErrOtherKeyring) {
		t.Errorf("another keyring: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Reload(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := RotateKeyring(path, time.Now(), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("rotating no file: %v", err)
	}
	if k.Current() != "k1" {
		t.Error("the keys have changed")
	}
}

// Whoever seals and opens while the keys are replaced notices nothing.
func TestReloadWhileInUse(t *testing.T) {
	t.Parallel()
	path, k := newFile(t, time.Now())
	stop := make(chan struct{})
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				b, err := k.Seal([]byte("x"), "d")
				if err == nil {
					_, err = k.Open(b, "d")
				}
				if err == nil {
					_, err = k.MAC(k.Current(), "d", "x")
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 10 {
		if _, err := RotateKeyring(path, time.Now(), nil); err != nil {
			t.Error(err)
		}
		if _, err := k.Reload(path); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	users.Wait()
}

// An older state of the file is not taken over: what was sealed since could not
// be opened any more.
func TestReloadRefusesAnOlderKeyring(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keyring.json")
	k, _, err := LoadOrCreateKeyring(path)
	if err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := RotateKeyring(path, time.Now(), nil); err != nil {
		t.Fatal(err)
	}
	if changed, err := k.Reload(path); !changed || err != nil {
		t.Fatalf("the rotation: %v, %v", changed, err)
	}
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	if changed, err := k.Reload(path); changed || !errors.Is(err, ErrOtherKeyring) {
		t.Errorf("the older file: %v, %v", changed, err)
	}
}

// A key that was added opens at once and seals only after the rotation, so that
// copies of the file can follow one after the other.
func TestAddKey(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	path, k := newFile(t, at)
	if id, err := AddKey(path, at.Add(time.Hour)); id != "k2" || err != nil {
		t.Fatalf("added %s, %v", id, err)
	}
	if _, err := AddKey(path, at.Add(time.Hour)); !errors.Is(err, ErrWaitingKey) {
		t.Errorf("a second one: %v", err)
	}
	if changed, err := k.Reload(path); !changed || err != nil || k.Current() != "k1" {
		t.Fatalf("reload: %v, %v, current %s", changed, err, k.Current())
	}
	drop := func(string) (bool, error) { return true, nil }
	did, err := RotateKeyring(path, at.Add(2*time.Hour), drop)
	if err != nil || did.Current != "k2" || !slices.Equal(did.Kept, []string{"k1"}) || did.Dropped != nil {
		t.Fatalf("rotation %+v, %v", did, err)
	}
	rotated, err := LoadKeyring(path)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := rotated.Seal([]byte("words"), "d", "a")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := k.Open(sealed, "d", "a"); err != nil || string(b) != "words" {
		t.Errorf("a copy that has only been given the key: %v", err)
	}
	// The old key was in use until the rotation, not until the new one was added.
	if did, err = RotateKeyring(path, at.Add(2*time.Hour+30*time.Second), drop); err != nil || did.Dropped != nil {
		t.Errorf("half a minute later: %+v, %v", did, err)
	}
	if did, err = RotateKeyring(path, at.Add(3*time.Hour), drop); err != nil || !slices.Equal(did.Dropped, []string{"k1", "k2"}) {
		t.Errorf("an hour later: %+v, %v", did, err)
	}
}
