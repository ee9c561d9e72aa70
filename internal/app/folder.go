package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// Files of the data folder.
const (
	databaseFile = "pincall.db"
	keyringFile  = "keyring.json"
	keyFile      = "api-key"
	lockFile     = "lock"
	addressFile  = "address"
)

// ErrLocked says that another process works on the data folder.
var ErrLocked = errors.New("another pincall works on this data folder")

// ensureFolder makes the data folder, readable by its owner only.
func ensureFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// lockWait is how long a lock is tried for: whoever only looks whether a server
// runs holds it for a moment.
const lockWait = time.Second

// lock makes this process the folder's worker. ErrLocked.
func lock(ctx context.Context, dir string) (*flock.Flock, error) {
	l := flock.New(filepath.Join(dir, lockFile), flock.SetPermissions(0o600))
	wait, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	ok, err := l.TryLockContext(wait, 20*time.Millisecond)
	switch {
	case ok:
		return l, nil
	case err == nil, errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("%s: %w", dir, ErrLocked)
	}
	return nil, fmt.Errorf("lock the data folder: %w", err)
}

// locked says whether a process works on the folder.
func locked(dir string) bool {
	l := flock.New(filepath.Join(dir, lockFile), flock.SetFlag(os.O_RDONLY))
	ok, err := l.TryRLock()
	if err != nil {
		return false // no such file: nobody ever worked here
	}
	return !ok || l.Unlock() != nil
}

// writeFile writes a file of the folder for its owner's eyes, whole or not at
// all.
func writeFile(dir, name, text string) error {
	tmp, err := os.CreateTemp(dir, name+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.WriteString(text); err != nil {
		tmp.Close()
		return err
	}
	if err := errors.Join(tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), filepath.Join(dir, name))
}

// ReadKeyFile gives the API key that was made at the first start.
func ReadKeyFile(data string) (string, error) {
	b, err := os.ReadFile(filepath.Join(data, keyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("there is no key file in %s: run pincall serve there once, or set PINCALL_API_KEY", data)
	}
	if err != nil {
		return "", fmt.Errorf("read the key file: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// RunningServer gives the address of the server that works on the folder:
// host:port, and with TLS https://host:port.
func RunningServer(data string) (addr string, ok bool) {
	if !locked(data) {
		return "", false
	}
	b, err := os.ReadFile(filepath.Join(data, addressFile))
	if err != nil {
		return "", false
	}
	addr, _, _ = strings.Cut(string(b), "\n")
	return addr, true
}

// RunningCertificate is the file of the certificate by which that server is
// known; empty without TLS.
func RunningCertificate(data string) string {
	b, _ := os.ReadFile(filepath.Join(data, addressFile)) // it is gone: the server has stopped
	_, rest, _ := strings.Cut(string(b), "\n")
	return strings.TrimSpace(rest)
}
