//go:build !linux

package pgtest

import "syscall"

// attributes are those of a child process: elsewhere nothing special, and the
// tests must not be root's.
func attributes(string) (*syscall.SysProcAttr, error) { return &syscall.SysProcAttr{}, nil }
