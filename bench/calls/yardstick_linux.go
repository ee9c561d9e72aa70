//go:build amd64 || arm64

package main

import (
	"net/netip"
	"runtime"
	"syscall"
	"time"
)

const rusageThread = 1 // RUSAGE_THREAD

// yardstick is how many streams of 50 packets a second one core could send if it
// did nothing else: by the CPU time of a thread that sends a frame's bytes to a
// bound loopback port, which drops them, in batches of 64.
func yardstick() (float64, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	from, _, err := listenRaw(0)
	if err != nil {
		return 0, err
	}
	defer syscall.Close(from)
	to, port, err := listenRaw(0)
	if err != nil {
		return 0, err
	}
	defer syscall.Close(to)
	if err := syscall.SetsockoptInt(to, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 2048); err != nil {
		return 0, err
	}
	b := newPackets()
	self := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	for i := range batch {
		b.fill(i, netip.AddrPortFrom(self, uint16(port)), self, packetSize)
	}
	var before, after syscall.Rusage
	if err := syscall.Getrusage(rusageThread, &before); err != nil {
		return 0, err
	}
	sent := 0
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		sent += b.send(from, batch)
	}
	if err := syscall.Getrusage(rusageThread, &after); err != nil {
		return 0, err
	}
	cpu := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	return float64(sent) / cpu.Seconds() / float64(time.Second/frame), nil
}
