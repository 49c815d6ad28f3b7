//go:build unix

package embedded

import (
	"syscall"
	"testing"
)

// A child between fork and exec shares the lock file that we close meanwhile: the
// folder is free all the same. A duplicate of the open file stands for the child.
func TestClosedLockIsFree(t *testing.T) {
	t.Parallel()
	l := layout{dir: t.TempDir()}
	first, err := acquire(l)
	if err != nil {
		t.Fatalf("acquire: %v", err)
	}
	child, err := syscall.Dup(int(first.file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(child) }) // nothing can be done about it
	if err := first.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}

	second, err := acquire(l)

	if err != nil {
		t.Fatalf("acquire after Close: got %v, want the folder", err)
	}
	if err := second.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}
