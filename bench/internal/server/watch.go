package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// Queue is what is left to be delivered.
type Queue struct {
	Due, Waiting, Busy int
}

// Queue reads the metrics.
func (s *Server) Queue(ctx context.Context) (Queue, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.metrics+"/metrics", nil)
	if err != nil {
		return Queue{}, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return Queue{}, err
	}
	defer res.Body.Close()
	var q Queue
	found := 0
	names := map[string]*int{
		`pincall_queue_jobs{state="due"}`: &q.Due, `pincall_queue_jobs{state="waiting"}`: &q.Waiting,
		`pincall_attempts_in_progress`: &q.Busy,
	}
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		to, ok := names[name]
		if !ok {
			continue
		}
		f, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return q, err
		}
		*to, found = int(f), found+1
	}
	if found < len(names) {
		return q, errors.Join(errors.New("the metrics do not show the queue"), lines.Err())
	}
	return q, nil
}

// Drain waits until everything promised has been delivered and ended.
func (s *Server) Drain(ctx context.Context, longest time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	var q Queue
	for {
		now, err := s.Queue(ctx)
		if err == nil {
			q = now
			if q == (Queue{}) {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the queue is not drained after %s: %d due, %d waiting, %d in progress", longest, q.Due, q.Waiting, q.Busy)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// ticks per second in /proc/PID/stat: USER_HZ, 100 on every Linux that Go runs on.
const ticks = 100

// CPU is the processor time that the process has used.
func (s *Server) CPU() time.Duration { return CPUOf(s.PID()) }

// CPUOf is the processor time that a process has used; 0 for one that is gone.
func CPUOf(pid int) time.Duration {
	own, _ := cpu(pid)
	return own
}

// CPUWithEnded is CPUOf with that of its children that have ended.
func CPUWithEnded(pid int) time.Duration {
	own, ended := cpu(pid)
	return own + ended
}

// cpu reads utime and stime, and cutime and cstime: fields 14 to 17 of proc(5).
func cpu(pid int) (own, ended time.Duration) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:])) // from field 3 on
	if len(fields) < 15 {
		return 0, 0
	}
	sum := func(fields []string) time.Duration {
		var n int64
		for _, f := range fields {
			v, _ := strconv.ParseInt(f, 10, 64) // the kernel writes numbers
			n += v
		}
		return time.Duration(n) * time.Second / ticks
	}
	return sum(fields[11:13]), sum(fields[13:15])
}

// Resident is the process's resident memory in MB.
func (s *Server) Resident() (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID()))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmRSS:")); ok { // in kB
			kb, err := strconv.ParseFloat(strings.Fields(string(rest))[0], 64)
			return kb / 1024, err
		}
	}
	return 0, errors.New("no VmRSS")
}
