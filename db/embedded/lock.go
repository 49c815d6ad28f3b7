package embedded

import (
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// folderLock is a data folder taken by this process. Ending in any way gives it
// back too.
type folderLock struct{ file *os.File }

// Close gives the folder back. Closing the file alone would not always: a child
// that is being started at that moment has the open file as well until it runs its
// program, and the kernel's lock lasts until the last one lets go.
func (l *folderLock) Close() error { return errors.Join(unlockFile(l.file), l.file.Close()) }

// acquire takes the data folder for this process and writes its id into the
// lock file, for the message that the next one gets.
func acquire(l layout) (*folderLock, error) {
	f, err := os.OpenFile(l.lockPath(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, noAccess(l.dir, err)
	}
	ok, err := lockFile(f)
	if err != nil {
		return nil, errors.Join(noAccess(l.dir, err), f.Close())
	}
	if !ok {
		text, _ := io.ReadAll(io.LimitReader(f, 20))            // only for the message
		pid, _ := strconv.Atoi(strings.TrimSpace(string(text))) // 0 says it is unknown
		return nil, errors.Join(inUse(l.dir, pid), f.Close())
	}
	lock := &folderLock{file: f}
	if err := f.Truncate(0); err != nil {
		return nil, errors.Join(noAccess(l.dir, err), lock.Close())
	}
	if _, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return nil, errors.Join(noAccess(l.dir, err), lock.Close())
	}
	return lock, nil
}

// acquireWaiting is for owners that keep the folder for a moment only.
func acquireWaiting(ctx context.Context, l layout) (*folderLock, error) {
	for {
		f, err := acquire(l)
		if !errors.Is(err, ErrInUse) {
			return f, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(err, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
