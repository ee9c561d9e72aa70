//go:build amd64 || arm64

package media

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// realtime is the priority of pacing threads, where the system grants one:
	// above all ordinary threads, below the kernel's own.
	realtime = 3
	// socketBuffer holds 20 ms of a shared socket's packets both ways, many times.
	// The system may cut it to its own limit.
	socketBuffer = 1 << 20
)

// fast is Linux's driver: sockets that Go's netpoller never sees (it would wake
// up for every packet sent), sendmmsg, one epoll thread with recvmmsg to each
// worker, and the monotonic clock's absolute sleep.
type fast struct {
	log     *slog.Logger
	base    time.Time // the same instant
	mono    int64     // on the system's monotonic clock, in ns
	readers []*reader
	batches sync.Pool // *sendBatch
	told    sync.Once
}

func newFast(cfg Config) (driver, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return nil, fmt.Errorf("clock_gettime: %w", err)
	}
	d := &fast{log: cfg.Log, base: time.Now(), mono: ts.Nano()}
	d.batches.New = func() any { return newSendBatch() } // sync.Pool's own form
	for range cfg.Workers {
		r, err := newReader()
		if err != nil {
			return nil, errors.Join(err, d.close())
		}
		d.readers = append(d.readers, r)
		go r.run()
	}
	return d, nil
}

func (d *fast) now() time.Time { return time.Now() }

// sleep is absolute: being interrupted between reckoning and sleeping costs
// nothing.
func (d *fast) sleep(until time.Time) {
	ts := unix.NsecToTimespec(d.mono + int64(until.Sub(d.base)))
	for errors.Is(unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &ts, nil), unix.EINTR) {
	}
}

// thread asks for a real-time priority, which takes CAP_SYS_NICE or a limit
// (RLIMIT_RTPRIO), and for timers without slack. Both may be refused.
func (d *fast) thread() {
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	err := unix.SchedSetAttr(0, &unix.SchedAttr{
		Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Priority: realtime,
		Flags: unix.SCHED_FLAG_RESET_ON_FORK,
	}, 0)
	d.told.Do(func() {
		if err != nil {
			d.log.Info("media: pacing at normal priority; CAP_SYS_NICE would keep calls on time on a busy machine", "err", err)
		}
	})
}

func (d *fast) close() error {
	for _, r := range d.readers {
		r.stop()
	}
	return nil
}

func (d *fast) bind(b binding) (wire, error) {
	family := familyOf(b.at)
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	at, err := prepare(fd, b)
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	w := &fastWire{driver: d, reader: d.readers[b.worker], fd: fd, family: family, at: at, got: b.got}
	if err := w.reader.add(w); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return w, nil
}
