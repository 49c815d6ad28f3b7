//go:build unix && !linux

package embedded

import "os/exec"

// dieWithParent is Linux's only; elsewhere the next start finds and stops a
// server that was left behind.
func dieWithParent(*exec.Cmd) {}

func zombie(int) bool { return false }
