//go:build unix

package embedded

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// supported says whether a private server can run here at all.
const supported = true

// lockFile takes the exclusive lock of an open file without waiting. The
// kernel gives it back when the process ends, however it ends.
func lockFile(f *os.File) (ok bool, err error) {
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// unlockFile gives the lock back at once, whoever else has the open file.
func unlockFile(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }

func ownerOf(info os.FileInfo) int {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return -1
}

// mayEnter reads the mode bits as the kernel does: the first class that fits
// decides.
func mayEnter(info os.FileInfo, a *account) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() {
		return false
	}
	perm := info.Mode().Perm()
	switch {
	case int(st.Uid) == a.uid:
		return perm&0o100 != 0
	case int(st.Gid) == a.gid:
		return perm&0o010 != 0
	default:
		return perm&0o001 != 0
	}
}

// become makes cmd run as the account, out of reach of the terminal's Ctrl-C:
// the server must outlive us by the moment it takes to stop it properly.
func become(cmd *exec.Cmd, a *account) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if a != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
}

// detach makes cmd outlive this process and its terminal.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr.Setpgid = false // a new session is a new group
	cmd.SysProcAttr.Setsid = true
}

func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return (err == nil || errors.Is(err, syscall.EPERM)) && !zombie(pid)
}

// The server's three ways to end: fast lets running statements go and writes a
// checkpoint, immediate leaves the rest to crash recovery, and killing is for a
// server that hears neither.
func stopFast(pid int) error      { return syscall.Kill(pid, syscall.SIGINT) }
func stopImmediate(pid int) error { return syscall.Kill(pid, syscall.SIGQUIT) }
func kill(pid int) error          { return syscall.Kill(pid, syscall.SIGKILL) }
