package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	keyfileVersion  = 1
	maxKeyfileBytes = 1 << 20
	othersMayRead   = 0o077 // any permission of group or world
)

// keyfile is the file's shape; []byte is base64 (RFC 4648, padded) in JSON.
type keyfile struct {
	Version  int          `json:"version"`
	Current  string       `json:"current"`
	IndexKey []byte       `json:"index_key"`
	Keys     []keyfileKey `json:"keys"`
}

type keyfileKey struct {
	ID        string    `json:"id"`
	Secret    []byte    `json:"secret"`
	CreatedAt time.Time `json:"created_at"`
}

// LoadKeyring reads a keyring file. It refuses one that group or world can read. Errors are one line, name the path and what to
// do, and hold nothing of the file; a file that is not there is fs.ErrNotExist.
func LoadKeyring(path string) (*Keyring, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("load keyring: %w", err)
	}
	defer f.Close()
	// The opened file is asked, not the path: what is checked is what is read.
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("load keyring: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("load keyring: %s is not a regular file", path)
	}
	if info.Mode().Perm()&othersMayRead != 0 {
		return nil, fmt.Errorf("load keyring: %s is open to other users of this machine: run chmod 600 %s", path, path)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxKeyfileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("load keyring: %w", err)
	}
	in, err := decodeKeyfile(raw)
	if err != nil {
		return nil, fmt.Errorf("load keyring: %s: %w", path, err)
	}
	return keyringOf(in), nil
}

// CreateKeyring writes k to a new file, mode 0600. The file appears whole and is on disk when this returns; one that is there
// already is left alone and is fs.ErrExist.
func CreateKeyring(path string, k *Keyring) error {
	// Link, unlike rename, fails where the name is taken: of two processes one makes the file, the other loads it.
	if err := k.in().write(path, os.Link); err != nil {
		return fmt.Errorf("create keyring: %w", err)
	}
	return nil
}

// write makes a whole file beside path, which place then puts there.
func (in *ring) write(path string, place func(from, to string) error) error {
	raw, err := json.MarshalIndent(in.encode(), "", "  ")
	if err != nil {
		// The error of an encoder may hold a value, so it is not told. The shape is ours: only an impossible year fails.
		return errors.New("cannot encode the keyring")
	}
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, ".keyring-*") // O_EXCL, 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(append(raw, '\n'))
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := place(tmp.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// LoadOrCreateKeyring loads the keyring at path, or makes one there and says true. Processes that do so at once end with the
// same keyring.
func LoadOrCreateKeyring(path string) (*Keyring, bool, error) {
	k, err := LoadKeyring(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, false, err
	}
	if k, err = NewKeyring(nil, time.Now()); err != nil {
		return nil, false, err
	}
	err = CreateKeyring(path, k)
	if errors.Is(err, fs.ErrExist) {
		k, err = LoadKeyring(path)
		return k, false, err
	}
	if err != nil {
		return nil, false, err
	}
	return k, true, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (in *ring) encode() keyfile {
	file := keyfile{Version: keyfileVersion, Current: in.current, IndexKey: in.index[:]}
	for _, id := range in.order {
		k := in.keys[id]
		file.Keys = append(file.Keys, keyfileKey{ID: id, Secret: k.secret[:], CreatedAt: k.created})
	}
	return file
}

// decodeKeyfile checks everything, so that no later operation meets a bad key. Its errors hold nothing of the file but key
// ids, which are public; those of encoding/json are not passed on, as they may quote it.
func decodeKeyfile(raw []byte) (*ring, error) {
	var file keyfile
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&file); err != nil || len(raw) > maxKeyfileBytes {
		return nil, errors.New("not a keyring: it must be the JSON object that pincall wrote; restore it from your copy")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("not a keyring: something follows the JSON object")
	}
	if file.Version != keyfileVersion {
		return nil, fmt.Errorf("keyring version %d is not one this program knows (%d)", file.Version, keyfileVersion)
	}
	if len(file.IndexKey) != keyBytes {
		return nil, fmt.Errorf("index_key must be %d bytes in base64", keyBytes)
	}
	in := &ring{current: file.Current, keys: make(map[string]key), index: [keyBytes]byte(file.IndexKey)}
	for i, k := range file.Keys {
		if !plain(k.ID) {
			return nil, fmt.Errorf("key number %d: id must be 1 to %d of a-z and 0-9", i+1, maxTokenPart)
		}
		if _, twice := in.keys[k.ID]; twice {
			return nil, fmt.Errorf("key id %s stands twice", k.ID)
		}
		if len(k.Secret) != keyBytes {
			return nil, fmt.Errorf("key %s: secret must be %d bytes in base64", k.ID, keyBytes)
		}
		in.keys[k.ID] = key{secret: [keyBytes]byte(k.Secret), created: k.CreatedAt}
		in.order = append(in.order, k.ID)
	}
	if _, ok := in.keys[in.current]; !ok {
		return nil, errors.New("current names no key of the keyring")
	}
	return in, nil
}
