package embedded

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// errExited says that a server ended before it answered.
var errExited = errors.New("server exited")

// process is a postgres that we started.
type process struct {
	pid    int
	exited chan struct{}
}

// startProcess brings the server up, and retries while the children of a
// killed server still hold its shared memory: they notice within seconds.
func startProcess(ctx context.Context, l layout, o Options, detached bool) (*process, error) {
	if err := initCluster(ctx, l, o); err != nil {
		return nil, err
	}
	if err := disarm(l); err != nil {
		return nil, err
	}
	args := settings(ctx, l, o)
	giveUp := time.Now().Add(15 * time.Second)
	for {
		said, p, err := tryProcess(ctx, l, o, args, detached)
		if err == nil {
			return p, nil
		}
		if !errors.Is(err, errExited) {
			return nil, err
		}
		if !strings.Contains(said, "shared memory block") || time.Now().After(giveUp) {
			return nil, &Error{Kind: ErrServer, Message: fmt.Sprintf("PostgreSQL %s did not start on %s:\n%s", o.Binaries.Version, l.dir, said)}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// tryProcess starts the server once. said is what it logged if it exited.
func tryProcess(ctx context.Context, l layout, o Options, args []string, detached bool) (said string, _ *process, _ error) {
	log, err := openLog(l)
	if err != nil {
		return "", nil, err
	}
	defer log.Close() // the child has its own
	info, err := log.Stat()
	if err != nil {
		return "", nil, err
	}
	// Not tied to ctx: the server outlives the call that starts it.
	cmd := serverCommand(context.WithoutCancel(ctx), l, o, "postgres", args...)
	cmd.Stdout, cmd.Stderr = log, log
	p := &process{exited: make(chan struct{})}
	started := make(chan error, 1)
	go p.run(cmd, started, detached)
	if err := <-started; err != nil {
		return "", nil, &Error{Kind: ErrServer, Cause: err, Message: "PostgreSQL could not be run from " + o.Binaries.Dir + "."}
	}
	if err := awaitReady(ctx, l, p.exited); err != nil {
		if errors.Is(err, errExited) {
			return logSince(l, info.Size()), nil, err
		}
		return "", nil, errors.Join(err, stop(ctx, p.pid, p.exited))
	}
	return "", p, nil
}

// run starts cmd and stays with it to its end, on one thread of its own:
// should the thread go before, the kernel would take it for our death
// (dieWithParent).
func (p *process) run(cmd *exec.Cmd, started chan<- error, detached bool) {
	if detached {
		detach(cmd)
	} else {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		dieWithParent(cmd)
	}
	if err := cmd.Start(); err != nil {
		started <- err
		return
	}
	p.pid = cmd.Process.Pid
	started <- nil
	_ = cmd.Wait() // how it ended is in its log
	close(p.exited)
}

// awaitReady returns when the server answers, with errExited when it ended
// instead. Only silence is bounded: a server that says it is starting up may
// have much to recover.
func awaitReady(ctx context.Context, l layout, exited <-chan struct{}) error {
	silentUntil := time.Now().Add(30 * time.Second)
	for {
		err := ping(ctx, l)
		if err == nil {
			return nil
		}
		if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == pgerrcode.CannotConnectNow {
			silentUntil = time.Now().Add(30 * time.Second)
		}
		if time.Now().After(silentUntil) {
			return &Error{Kind: ErrServer, Cause: err, Message: "PostgreSQL runs but does not answer; see " + l.logFile + "."}
		}
		select {
		case <-exited:
			return errExited
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func ping(ctx context.Context, l layout) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, Address{socketDir: l.socketDir}.URL("postgres"))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// stop ends a server, ever more firmly.
func stop(ctx context.Context, pid int, exited <-chan struct{}) error {
	cut := ctx.Done()
	for _, step := range []struct {
		signal   func(int) error
		patience time.Duration
	}{{stopFast, 10 * time.Second}, {stopImmediate, 5 * time.Second}, {kill, 5 * time.Second}} {
		select {
		case <-exited:
			return nil
		default:
		}
		// A failure says that it is gone, or not ours; waiting tells which.
		refused := step.signal(pid)
		select {
		case <-exited:
			return nil
		case <-cut:
			cut = nil // ends this step's patience, not the next one's
		case <-time.After(step.patience):
			if refused != nil {
				return &Error{Kind: ErrPermission, Cause: refused, Message: fmt.Sprintf("The PostgreSQL of process id %d could not be stopped.", pid)}
			}
		}
	}
	return &Error{Kind: ErrServer, Message: fmt.Sprintf("The PostgreSQL of process id %d does not end, not even killed.", pid)}
}

// watch returns a channel that is closed when a process that is not our child
// has ended.
func watch(pid int) <-chan struct{} {
	gone := make(chan struct{})
	go func() {
		for alive(pid) {
			time.Sleep(10 * time.Millisecond)
		}
		close(gone)
	}()
	return gone
}
