package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// stopTime is how long a process may take to end after a polite signal: a worker
// gives its jobs 20 s.
const stopTime = 40 * time.Second

// logKept is how much of the end of a process's log is kept for error messages.
const logKept = 16 << 10

// Process is a child of the harness.
type Process struct {
	// Name tells processes apart in messages.
	Name string

	cmd    *exec.Cmd
	log    *tailBuffer
	exited chan struct{} // closed once Wait has returned
	state  *os.ProcessState
	last   Usage // taken right before the end
}

// startProcess starts a child with exactly this environment. more, if set, gets
// its standard error too; unread, nobody gets any of what it says.
func startProcess(name, binary string, args, env []string, more io.Writer, unread bool) (*Process, error) {
	p := &Process{Name: name, log: &tailBuffer{more: more}, exited: make(chan struct{})}
	p.cmd = exec.Command(binary, args...)
	p.cmd.Env = env
	if !unread {
		p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	}
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		defer close(p.exited)
		_ = p.cmd.Wait() // what became of it is in its state
		p.state = p.cmd.ProcessState
	}()
	return p, nil
}

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Log is the end of what the process said.
func (p *Process) Log() string { return p.log.String() }

// ExitCode is that of an ended process, -1 if a signal ended it.
func (p *Process) ExitCode() int {
	<-p.exited
	return p.state.ExitCode()
}

// Kill ends the process by SIGKILL and waits until it is gone. It fails when the
// process had ended before: a fault that did not happen proves nothing.
func (p *Process) Kill() error {
	p.last = processUsage(p.PID())
	if err := p.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("kill %s: %w\n%s", p.Name, err, p.Log())
	}
	<-p.exited
	if status, ok := p.state.Sys().(syscall.WaitStatus); ok && (!status.Signaled() || status.Signal() != syscall.SIGKILL) {
		return fmt.Errorf("kill %s: it ended by itself: %s\n%s", p.Name, p.state, p.Log())
	}
	return nil
}

// Stop asks the process to end with a signal, by force after a time, and fails
// unless it then ends with code 0.
func (p *Process) Stop(sig os.Signal) error {
	select {
	case <-p.exited:
	default:
		p.last = processUsage(p.PID())
		if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop %s: %w", p.Name, err)
		}
	}
	select {
	case <-p.exited:
	case <-time.After(stopTime):
		return errors.Join(fmt.Errorf("%s did not stop within %s\n%s", p.Name, stopTime, p.Log()), p.Kill())
	}
	if !p.state.Success() {
		return fmt.Errorf("%s ended with %s\n%s", p.Name, p.state, p.Log())
	}
	return nil
}

// Usage is what the process has used so far; of an ended one, until its end.
func (p *Process) Usage() Usage {
	select {
	case <-p.exited:
		return Usage{CPU: p.state.UserTime() + p.state.SystemTime(), PeakRSS: p.last.PeakRSS}
	default:
		return processUsage(p.PID())
	}
}

// run runs a command to its end and returns what it printed, of one that failed
// too. An error carries the end of its standard error.
func run(ctx context.Context, binary string, args, env []string, stdin string) (string, error) {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = env
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	var log tailBuffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		return strings.TrimSpace(out.String()), fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(log.String()))
	}
	return strings.TrimSpace(out.String()), nil
}

// tailBuffer keeps the end of what is written to it.
type tailBuffer struct {
	more io.Writer
	mu   sync.Mutex
	kept []byte
}

func (b *tailBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept = append(b.kept, p...)
	if over := len(b.kept) - logKept; over > 0 {
		b.kept = append(b.kept[:0], b.kept[over:]...)
	}
	if b.more != nil {
		return b.more.Write(p)
	}
	return len(p), nil
}

func (b *tailBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.kept)
}
