//go:build !linux

package sqlite

import "os"

// datasync has the file on the disk.
func datasync(f *os.File) error { return f.Sync() }
