package app

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certLook is how often the certificate's files are looked at, at most.
const certLook = time.Second

// certificate is the one of the files, read again when they have changed. Safe
// for concurrent use.
type certificate struct {
	files TLSFile
	log   *slog.Logger

	mu     sync.Mutex
	loaded *tls.Certificate
	seen   [2]stamp
	looked time.Time
}

// stamp tells one state of a file from another.
type stamp struct {
	changed time.Time
	size    int64
}

func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return stamp{info.ModTime(), info.Size()}
}

// loadCertificate reads the files. Its errors name the file and hold nothing of
// it.
func loadCertificate(files TLSFile, log *slog.Logger) (*certificate, error) {
	c := &certificate{files: files, log: log, looked: time.Now(), seen: [2]stamp{stampOf(files.Cert), stampOf(files.Key)}}
	pair, err := readPair(files)
	c.loaded = pair
	return c, err
}

func readPair(files TLSFile) (*tls.Certificate, error) {
	cert, err := os.ReadFile(files.Cert)
	if err != nil {
		return nil, fmt.Errorf("tls.cert: %w", err)
	}
	key, err := os.ReadFile(files.Key)
	if err != nil {
		return nil, fmt.Errorf("tls.key: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("tls: %s and %s cannot be used together: %w", files.Cert, files.Key, err)
	}
	return &pair, nil
}

// config is for the server.
func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
}

// get gives the certificate as it is now. While new files are not complete, the
// old one goes on.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < certLook {
		return c.loaded, nil
	}
	c.looked = time.Now()
	now := [2]stamp{stampOf(c.files.Cert), stampOf(c.files.Key)}
	if now == c.seen {
		return c.loaded, nil
	}
	c.seen = now
	pair, err := readPair(c.files)
	if err != nil {
		c.log.Warn("the changed certificate cannot be used: going on with the one before", "error", err)
		return c.loaded, nil
	}
	c.loaded = pair
	c.log.Info("the certificate was read again", "until", pair.Leaf.NotAfter)
	return pair, nil
}

// PinnedTLS trusts one certificate, that of a PEM file, whatever names it has:
// for whoever may read the folder of the server that uses it.
func PinnedTLS(certFile string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		// Names and authorities do not matter: VerifyConnection wants this very
		// certificate.
		InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			leaf, err := readLeaf(certFile)
			if err != nil {
				return err
			}
			if len(s.PeerCertificates) == 0 || !bytes.Equal(s.PeerCertificates[0].Raw, leaf.Raw) {
				return errors.New("the server's certificate is not the one of " + certFile)
			}
			return nil
		},
	}
}

// readLeaf reads the first certificate of a file.
func readLeaf(path string) (*x509.Certificate, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("tls.cert: %w", err)
	}
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			return x509.ParseCertificate(block.Bytes)
		}
	}
	return nil, fmt.Errorf("tls.cert: %s holds no certificate", path)
}
