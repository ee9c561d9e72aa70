package secret_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/secret"
)

func TestCreateKeyringWritesTheDocumentedFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "keyring.json")
	k, err := secret.NewKeyring(nil, time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	if err := secret.CreateKeyring(path, k); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
	var file struct {
		Version  int    `json:"version"`
		Current  string `json:"current"`
		IndexKey []byte `json:"index_key"`
		Keys     []struct {
			ID        string `json:"id"`
			Secret    []byte `json:"secret"`
			CreatedAt string `json:"created_at"`
		} `json:"keys"`
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if file.Version != 1 || file.Current != "k1" || len(file.IndexKey) != 32 || len(file.Keys) != 1 || file.Keys[0].ID != "k1" ||
		len(file.Keys[0].Secret) != 32 || file.Keys[0].CreatedAt != "2026-03-04T05:06:07Z" {
		t.Error("the file has another shape")
	}
	loaded, err := secret.LoadKeyring(path)
	if err != nil || loaded.CheckValue() != k.CheckValue() {
		t.Errorf("loads as another keyring, error %v", err)
	}
	onlyFile(t, dir, "keyring.json")
}

// onlyFile checks that no temporary file with keys in it was left behind.
func onlyFile(t *testing.T, dir, want string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if diff := cmp.Diff([]string{want}, names); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestCreateKeyringNeverOverwrites(t *testing.T) {
	t.Parallel()
	path := writeKeyfile(t, "mine", 0o600)
	if err := secret.CreateKeyring(path, mustNew(t)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error %v, want fs.ErrExist", err)
	}
	if raw, _ := os.ReadFile(path); string(raw) != "mine" {
		t.Error("the file was changed")
	}
	onlyFile(t, filepath.Dir(path), "keyring.json")
}

func TestLoadOrCreateKeyring(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keyring.json")
	a, made, err := secret.LoadOrCreateKeyring(path)
	if err != nil || !made {
		t.Fatalf("made %t, error %v", made, err)
	}
	b, made, err := secret.LoadOrCreateKeyring(path)
	if err != nil || made || a.CheckValue() != b.CheckValue() {
		t.Errorf("second time: made %t, error %v", made, err)
	}
	bad := writeKeyfile(t, "{}", 0o600)
	if _, _, err := secret.LoadOrCreateKeyring(bad); err == nil {
		t.Error("a broken file is taken")
	}
	if raw, _ := os.ReadFile(bad); string(raw) != "{}" {
		t.Error("a broken file is replaced")
	}
	if _, _, err := secret.LoadOrCreateKeyring(filepath.Join(path, "no", "folder")); err == nil {
		t.Error("a missing folder is no error")
	}
}

func TestKeyringsMadeAtOnceAreOne(t *testing.T) {
	t.Parallel()
	for range 10 {
		dir := t.TempDir()
		var made atomic.Int32
		var checks sync.Map
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				k, mine, err := secret.LoadOrCreateKeyring(filepath.Join(dir, "keyring.json"))
				if err != nil {
					t.Error(err)
					return
				}
				if mine {
					made.Add(1)
				}
				checks.Store(k.CheckValue(), true)
			})
		}
		wg.Wait()
		different := 0
		checks.Range(func(_, _ any) bool { different++; return true })
		if made.Load() != 1 || different != 1 {
			t.Fatalf("%d made, %d different keyrings", made.Load(), different)
		}
		onlyFile(t, dir, "keyring.json")
	}
}

func TestLoadKeyringRefusesOpenFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keyring.json")
	if err := secret.CreateKeyring(path, mustNew(t)); err != nil {
		t.Fatal(err)
	}
	for mode, good := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: false, 0o604: false, 0o620: false, 0o644: false, 0o610: false} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := secret.LoadKeyring(path)
		if good && err != nil || !good && (err == nil || !strings.Contains(err.Error(), "chmod 600 "+path) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("mode %o: error %v", mode, err)
		}
	}
	if _, err := secret.LoadKeyring(filepath.Dir(path)); err == nil {
		t.Error("a folder is taken for a keyring")
	}
	if _, err := secret.LoadKeyring(path + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: error %v", err)
	}
}

func TestLoadKeyringRefusesBadFiles(t *testing.T) {
	t.Parallel()
	const canary = "canary"
	key := func(id, secret string) string {
		return fmt.Sprintf(`{"id":%q,"secret":%q,"created_at":"2026-01-01T00:00:00Z"}`, id, secret)
	}
	file := func(version int, current, index, keys string) string {
		return fmt.Sprintf(`{"version":%d,"current":%q,"index_key":%q,"keys":[%s]}`, version, current, index, keys)
	}
	good := file(1, "k1", b64(1), key("k1", b64(2)))
	mustLoad(t, good)
	bad := map[string]string{
		"empty": "", "not JSON": canary, "cut": good[:len(good)-2], "followed": good + good, "array": "[]", "unknown field": `{"` + canary + `":1}`,
		"version": file(2, "k1", b64(1), key("k1", b64(2))), "no index key": file(1, "k1", "", key("k1", b64(2))),
		"short index key": file(1, "k1", b64(1)[:40], key("k1", b64(2))), "not base64": file(1, "k1", b64(1), key("k1", canary+"!")),
		"short key": file(1, "k1", b64(1), key("k1", b64(2)[:40])), "no keys": file(1, "k1", b64(1), ""), "no id": file(1, "", b64(1), key("", b64(2))),
		"bad id": file(1, "K_1", b64(1), key("K_1", b64(2))), "twice": file(1, "k1", b64(1), key("k1", b64(2))+","+key("k1", b64(3))),
		"current": file(1, canary, b64(1), key("k1", b64(2))), "bad time": strings.ReplaceAll(good, "2026-01-01", canary),
		"huge": good + strings.Repeat(" ", 1<<20),
	}
	for name, content := range bad {
		path := writeKeyfile(t, content, 0o600)
		_, err := secret.LoadKeyring(path)
		if err == nil {
			t.Errorf("%s: taken", name)
			continue
		}
		text := err.Error()
		if !strings.Contains(text, path) || strings.Contains(text, "\n") || strings.Contains(text, canary) || strings.Contains(text, b64(2)[:8]) {
			t.Errorf("%s: error %q must be one line with the path and nothing of the file", name, text)
		}
	}
}
