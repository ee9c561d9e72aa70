package sqlite

import (
	"os"
	"syscall"
)

// datasync has the file's content and length on the disk; other than fsync it
// leaves the time of its last change alone.
func datasync(f *os.File) error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); err != syscall.EINTR {
			return err
		}
	}
}
