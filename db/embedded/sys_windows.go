package embedded

import (
	"errors"
	"os"
	"os/exec"
)

// supported is false: the private server stands on Unix sockets, signals and
// file locks. On Windows DATABASE_URL or WSL is the way.
const supported = false

func lockFile(*os.File) (bool, error)     { return false, errors.ErrUnsupported }
func unlockFile(*os.File) error           { return nil }
func ownerOf(os.FileInfo) int             { return -1 }
func mayEnter(os.FileInfo, *account) bool { return true }
func become(*exec.Cmd, *account)          {}
func detach(*exec.Cmd)                    {}
func dieWithParent(*exec.Cmd)             {}
func alive(int) bool                      { return false }
func stopFast(int) error                  { return errors.ErrUnsupported }
func stopImmediate(int) error             { return errors.ErrUnsupported }
func kill(int) error                      { return errors.ErrUnsupported }
