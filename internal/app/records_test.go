package app_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/pincall/pincall/client"
	"github.com/pincall/pincall/internal/app"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/verify"
)

// open reads a data folder's database beside whoever works on it.
func open(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// traces are the raw values of a number's rows: what must be found nowhere once
// the number was erased.
func traces(t *testing.T, dir, number string) map[string][]byte {
	t.Helper()
	keys, err := secret.LoadKeyring(filepath.Join(dir, "keyring.json"))
	if err != nil {
		t.Fatal(err)
	}
	index := keys.Index("number", number)
	out := map[string][]byte{"number index": index, "number": []byte(number[1:])}
	db := open(t, filepath.Join(dir, "pincall.db"))
	defer db.Close()
	for what, query := range map[string]string{
		"verification": `SELECT id, number_sealed, limit_key, binding, order_key, code_mac, sealed, token_hash, context FROM verifications WHERE number_index = ?`,
		"attempt":      `SELECT id, ref, screen FROM attempts WHERE verification IN (SELECT id FROM verifications WHERE number_index = ?)`,
		"kept answer":  `SELECT key, answer, body FROM once WHERE verification IN (SELECT id FROM verifications WHERE number_index = ?)`,
	} {
		rows, err := db.Query(query, index)
		if err != nil {
			t.Fatal(err)
		}
		names, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for rows.Next() {
			values := make([]any, len(names))
			for i := range values {
				values[i] = new([]byte)
			}
			if err := rows.Scan(values...); err != nil {
				t.Fatal(err)
			}
			for i, v := range values {
				if b := *v.(*[]byte); len(b) >= 8 {
					out[fmt.Sprintf("%s %d: %s", what, n, names[i])] = b
				}
			}
			n++
		}
		if err := rows.Close(); err != nil || n == 0 {
			t.Fatalf("%d rows of a %s, %v", n, what, err)
		}
	}
	return out
}

// searchTraces looks for traces in every file, raw, in hex and in base64. It
// gives the names of what was found.
func searchTraces(t *testing.T, dir string, traces map[string][]byte) []string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			continue // a temporary file that is gone
		}
		for what, v := range traces {
			encoded := base64.StdEncoding.EncodeToString(v)
			for how, form := range map[string][]byte{"raw": v, "hex": []byte(hex.EncodeToString(v)), "base64": []byte(encoded[:len(encoded)/4*4-4])} {
				if bytes.Contains(b, form) {
					found = append(found, fmt.Sprintf("%s: %s, %s", f.Name(), what, how))
				}
			}
		}
	}
	return found
}

const limitless = "sim: {pace: fast}\nguard: {starts_per_number: 100000/1h, sends_per_number: 100000/24h, starts_per_account: 100000/1m, calls_per_day: 1000000, concurrent_calls: 100000}\n"

// fill starts n verifications of other numbers.
func (r *running) fill(n int) {
	r.t.Helper()
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range n / 8 {
				to := fmt.Sprintf("+8180%08d", 20_000_000+worker*100_000+i)
				if _, err := r.Start(r.t.Context(), client.StartRequest{To: to, Channel: "sms"}); err != nil {
					r.t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// Of an erased person nothing is left: not in rows, not in what the file has
// freed, not in the log.
func TestErasedIsGone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := run(t, dir, limitless, nil)
	const to = "+818012345678"
	for range 15 {
		v := r.begin(client.StartRequest{To: to, Channel: "sms", Purpose: "x"})
		r.fill(80)
		_, err := r.Cancel(t.Context(), v.ID)
		r.ok(err)
	}
	ringing := r.begin(client.StartRequest{To: to, Locale: "en", Channel: "voice"})
	r.until(ringing.ID, "the ring", func(v client.Verification) bool { return v.Attempts[0].State == "ringing" })
	gone := traces(t, dir, to)
	if len(searchTraces(t, dir, gone)) == 0 {
		t.Fatal("the search finds nothing where there is something")
	}
	did, err := app.EraseNumber(t.Context(), app.Config{Data: dir}, verify.EraseRequest{Number: to})
	r.ok(err)
	if did.Verifications != 16 || did.Attempts != 16 || did.Limits != 1 || did.Answers != 31 {
		t.Errorf("erased %+v", did)
	}
	if found := searchTraces(t, dir, gone); len(found) > 0 {
		t.Errorf("%d traces are left while the server runs:\n%s", len(found), strings.Join(found, "\n"))
	}
	if _, err := r.Get(t.Context(), ringing.ID); err == nil {
		t.Error("an erased verification is shown")
	}
	state, err := r.Phone(to).State(t.Context())
	r.ok(err)
	if state.State != client.PhoneEnded {
		t.Errorf("the phone of an erased number is %s", state.State)
	}
	r.fill(40)
	r.stop()
	if found := searchTraces(t, dir, gone); len(found) > 0 {
		t.Errorf("%d traces are left:\n%s", len(found), strings.Join(found, "\n"))
	}
	search(t, "log", r.log.String(), map[string]string{"number": to[1:]})
	var open int
	if err := openDB(t, dir).QueryRow(`SELECT count(*) FROM audit WHERE action = 'person.erased'`).Scan(&open); err != nil || open != 1 {
		t.Errorf("%d entries of the log, %v", open, err)
	}
}

func openDB(t *testing.T, dir string) *sql.DB {
	t.Helper()
	return open(t, filepath.Join(dir, "pincall.db"))
}

// A backup is made while starts go on, and works with the keyring beside it: what
// was pending is checked there.
func TestBackupUnderLoad(t *testing.T) {
	t.Parallel()
	dir, other := t.TempDir(), t.TempDir()
	r := run(t, dir, limitless, nil)
	v := r.begin(client.StartRequest{To: "+818012345678", Channel: "sms", Locale: "en"})
	code := r.texted("+818012345678")
	ctx, cancel := context.WithCancel(t.Context())
	var load sync.WaitGroup
	load.Go(func() {
		for ctx.Err() == nil {
			r.fill(40)
		}
	})
	file := filepath.Join(other, "pincall.db")
	err := app.Backup(t.Context(), app.Config{Data: dir}, file)
	cancel()
	load.Wait()
	r.ok(err)
	info, err := os.Stat(file)
	r.ok(err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if err := app.Backup(t.Context(), app.Config{Data: dir}, file); err == nil {
		t.Error("a backup went over a file that was there")
	}
	left, err := filepath.Glob(filepath.Join(other, ".*"))
	if r.ok(err); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
	raw, err := os.ReadFile(file)
	r.ok(err)
	key, err := os.ReadFile(filepath.Join(dir, "api-key"))
	r.ok(err)
	ring, err := os.ReadFile(filepath.Join(dir, "keyring.json"))
	r.ok(err)
	if bytes.Contains(raw, bytes.TrimSpace(key)) || bytes.Contains(raw, []byte("index_key")) {
		t.Error("a backup holds keys")
	}
	r.stop()
	for name, b := range map[string][]byte{"keyring.json": ring, "api-key": key} {
		r.ok(os.WriteFile(filepath.Join(other, name), b, 0o600))
	}
	restored := run(t, other, limitless, nil)
	got, err := restored.Check(t.Context(), v.ID, client.CheckRequest{Code: client.Secret(code)})
	if r.ok(err); !got.Valid {
		t.Errorf("the code of a restored verification: %+v", got)
	}
	restored.begin(client.StartRequest{To: "+818012345679"})
}

// texted is the code in the last message to a number.
func (r *running) texted(to string) string {
	r.t.Helper()
	for range 500 {
		s, err := r.Phone(to).State(r.t.Context())
		r.ok(err)
		if n := len(s.Messages); n > 0 {
			for _, w := range strings.FieldsFunc(s.Messages[n-1], func(c rune) bool { return c < '0' || c > '9' }) {
				if len(w) == 6 || len(w) == 10 {
					return w
				}
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	r.t.Fatal("no message came")
	return ""
}

// A code of before a rotation is right after it, after a restart as well; what
// comes after is sealed with the new key by the server that was running.
func TestRotation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tenDigits(t, dir)
	r := run(t, dir, limitless, nil)
	first := r.begin(client.StartRequest{To: "+818012345671", Channel: "sms", Locale: "en"})
	second := r.begin(client.StartRequest{To: "+818012345672", Channel: "sms", Locale: "en"})
	one, two := r.texted("+818012345671"), r.texted("+818012345672")
	did, err := app.RotateKeyring(t.Context(), app.Config{Data: dir}, true)
	r.ok(err)
	if did.Current != "k2" || len(did.Kept) != 1 || len(did.Dropped) != 0 {
		t.Errorf("rotation %+v", did)
	}
	for range 500 {
		if strings.Contains(r.log.String(), "the keyring was replaced") {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	third := r.begin(client.StartRequest{To: "+818012345673", Channel: "sms", Locale: "en"})
	var id string
	if err := openDB(t, dir).QueryRow(`SELECT key_id FROM verifications WHERE id = ?`, third.ID).Scan(&id); err != nil || id != "k2" {
		t.Errorf("after the rotation the key is %s, %v", id, err)
	}
	three := r.texted("+818012345673")
	right := func(r *running, id, code string) {
		t.Helper()
		got, err := r.Check(t.Context(), id, client.CheckRequest{Code: client.Secret(code)})
		if r.ok(err); !got.Valid {
			t.Errorf("got %+v", got)
		}
	}
	right(r, first.ID, one)
	r.stop()
	r = run(t, dir, limitless, nil)
	right(r, second.ID, two)
	right(r, third.ID, three)
	r.stop()
	for to, code := range map[string]string{"+818012345671": one, "+818012345672": two, "+818012345673": three} {
		r.searchKept("rotated", forms(code, to))
	}
}
