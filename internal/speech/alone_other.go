//go:build !unix

package speech

import "os/exec"

// alone leaves a child as it is: where there are no process groups, only the
// program itself is killed.
func alone(*exec.Cmd) {}
