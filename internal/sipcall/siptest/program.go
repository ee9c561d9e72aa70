package siptest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// program is another program that runs for a test, and is killed with it.
type program struct {
	t    testing.TB
	name string
	cmd  *exec.Cmd
	dir  string // its files, and what it wrote: "out"
	over bool   // it was waited for
}

// find is the path of a program. Without it the test is skipped, or fails where
// CI=true says that everything must be there.
func find(t testing.TB, name, debian string) string {
	t.Helper()
	at, err := exec.LookPath(name)
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("siptest: %s is not installed: apt-get install %s", name, debian)
	default:
		t.Skipf("%s is not installed: apt-get install %s", name, debian)
	}
	return at
}

// stdio is what a program is started with. Without out its output goes to the file
// "out", so that no goroutine has to copy it.
type stdio struct{ in, out *os.File }

// launch starts a program in dir, where its home is, too.
func launch(t testing.TB, dir string, std stdio, argv ...string) *program {
	t.Helper()
	p := &program{t: t, name: filepath.Base(argv[0]), cmd: exec.Command(argv[0], argv[1:]...), dir: dir}
	out, in := std.out, std.in
	if out == nil {
		file, err := os.Create(filepath.Join(dir, "out"))
		if err != nil {
			t.Fatalf("siptest: %v", err)
		}
		defer file.Close()
		out = file
	}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, out, out
	p.cmd.Env = append(os.Environ(), "HOME="+dir)
	if in != nil {
		p.cmd.Stdin = in
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("siptest: %v", err)
	}
	t.Cleanup(p.kill)
	return p
}

func (p *program) kill() {
	if p.over {
		return
	}
	p.over = true
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() // it was killed
}

// wait returns how the program ended. One that goes on is killed after limit.
func (p *program) wait(limit time.Duration) error {
	if p.over {
		return nil
	}
	late := time.AfterFunc(limit, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	err := p.cmd.Wait()
	p.over = true
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}

// read is a file of the program's folder, or "".
func (p *program) read(name string) string {
	b, _ := os.ReadFile(filepath.Join(p.dir, name))
	return string(b)
}

// listening waits until the program has a socket at a loopback port. Neither SIPp
// nor a kernel tells of that otherwise.
func (p *program) listening(proto string, port int) {
	p.t.Helper()
	for limit := time.Now().Add(Patience); !p.listens(proto, port); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) || p.gone() {
			p.t.Fatalf("siptest: %s does not listen: %s", p.name, p.read("out"))
		}
	}
}

// gone says that the program ended; it may not have been waited for.
func (p *program) gone() bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

// listens looks for the port among the kernel's sockets (proc_net_udp(5)), and for
// that socket among the program's files: a port may be another program's.
func (p *program) listens(proto string, port int) bool {
	files := fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid)
	entries, err := os.ReadDir(files)
	if err != nil {
		return false
	}
	own := map[string]bool{}
	for _, e := range entries {
		link, _ := os.Readlink(filepath.Join(files, e.Name()))
		own[link] = true
	}
	table, _ := os.ReadFile("/proc/net/" + proto)
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if len(f) > 9 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) && own["socket:["+f[9]+"]"] {
			return true
		}
	}
	return false
}

// Ports is the first of n ports of loopback that are free side by side, for UDP
// and TCP, as far as one can know. The first one is even. The kernel chooses; where
// its range is so full of others' connections that few stand side by side, chance
// does, below that range.
func Ports(t testing.TB, n int) int {
	t.Helper()
	for range 50 {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatalf("siptest: %v", err)
		}
		first := conn.LocalAddr().(*net.UDPAddr).Port &^ 1
		_ = conn.Close()
		if first+n < 1<<16 && allFree(first, n) {
			return first
		}
	}
	for range 500 {
		if first := (10_000 + rand.IntN(22_000)) &^ 1; allFree(first, n) {
			return first
		}
	}
	t.Fatalf("siptest: no %d free ports", n)
	return 0
}

func allFree(first, n int) bool {
	for port := first; port < first+n; port++ {
		at := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		udp, err := net.ListenPacket("udp4", at)
		if err != nil {
			return false
		}
		_ = udp.Close()
		tcp, err := net.Listen("tcp4", at)
		if err != nil {
			return false
		}
		_ = tcp.Close()
	}
	return true
}
