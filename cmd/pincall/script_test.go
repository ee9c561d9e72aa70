package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/pincall/pincall/internal/app"
)

// TestMain lets the scripts run this binary as the command pincall.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"pincall": main})
}

// TestScripts runs the manual: testdata/*.txtar. UPDATE=1 writes the files that
// cmp compares with anew.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, scripts("testdata"))
}

// scripts runs those of a folder.
func scripts(dir string) testscript.Params {
	return testscript.Params{
		Dir:           dir,
		UpdateScripts: os.Getenv("UPDATE") != "",
		Setup: func(env *testscript.Env) error {
			env.Setenv("NOTPRINTABLE", "a\x1b[2J")
			env.Setenv("PINCALL_DATA", filepath.Join(env.WorkDir, "data"))
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"status":      cmdStatus,
			"certificate": cmdCertificate,
			"id":          cmdID,
			"running":     cmdRunning,
		},
	}
}

// cmdStatus runs a command that must end with a status: status 2 pincall call.
func cmdStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N program [args...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// cmdID sets $ID to the first word of the line of stdout that has a word.
func cmdID(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: id WORD")
	}
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		if words := strings.Fields(line); len(words) > 1 && words[1] == args[0] {
			ts.Setenv("ID", words[0])
			return
		}
	}
	ts.Fatalf("no line with that word")
}

// cmdCertificate writes a certificate of its own, and its key: certificate CERT KEY.
func cmdCertificate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: certificate CERT KEY")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"verify.example.com"}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	ts.Check(err)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600))
}

// cmdRunning waits for the server of the data folder.
func cmdRunning(ts *testscript.TestScript, neg bool, args []string) {
	const patience = 15 * time.Second
	data := ts.Getenv("PINCALL_DATA")
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if _, ok := app.RunningServer(data); ok {
			return
		}
	}
	ts.Fatalf("no server after %v", patience)
}
