//go:build unix

package speech

import (
	"os/exec"
	"syscall"
)

// alone gives a child a process group of its own, which is killed as a whole: an
// engine may be a script that starts the true one.
func alone(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
