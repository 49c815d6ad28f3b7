package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// StartTimes are how long `sello dev` takes until it is ready.
type StartTimes struct {
	First  []time.Duration `json:"first_ns"`
	Second []time.Duration `json:"second_ns"`
	// Stop is from Ctrl-C to the end of the process, all stops together.
	Stop []time.Duration `json:"stop_ns"`
}

// Medians of first and second start.
func (s StartTimes) Medians() (first, second time.Duration) { return median(s.First), median(s.Second) }

// Starts runs `sello dev` twice on a new data folder, as often as asked.
func Starts(ctx context.Context, binary string, rounds int) (StartTimes, error) {
	var all StartTimes
	for range rounds {
		dir, err := TempDir()
		if err != nil {
			return all, err
		}
		first, stop1, err := startDev(ctx, binary, dir)
		if err == nil {
			var second, stop2 time.Duration
			second, stop2, err = startDev(ctx, binary, dir)
			all.First, all.Second, all.Stop = append(all.First, first), append(all.Second, second), append(all.Stop, stop1, stop2)
		}
		if err = errors.Join(err, os.RemoveAll(dir)); err != nil {
			return all, err
		}
	}
	return all, nil
}

// startDev starts dev, waits until it says it is ready over HTTP, and stops it as
// Ctrl-C does.
func startDev(ctx context.Context, binary, dir string) (ready, stop time.Duration, err error) {
	file := filepath.Join(dir, "env")
	if err := os.RemoveAll(file); err != nil {
		return 0, 0, err
	}
	begun := time.Now()
	p, err := startProcess("dev", binary, []string{"dev", "--port", "0", "--data", filepath.Join(dir, "data"), "--env-file", file}, os.Environ(), nil, false)
	if err != nil {
		return 0, 0, err
	}
	err = Await(ctx, func() (bool, error) {
		select {
		case <-p.Exited():
			return false, fmt.Errorf("dev ended with code %d before it was ready\n%s", p.ExitCode(), p.Log())
		default:
		}
		base, err := readVariable(file, "BASE_URL")
		if err != nil || base == "" {
			return false, nil //nolint:nilerr // not written yet
		}
		resp, err := http.Get(base + "/readyz")
		if err != nil {
			return false, nil //nolint:nilerr // not yet
		}
		return resp.StatusCode == http.StatusOK, resp.Body.Close()
	})
	ready = time.Since(begun)
	asked := time.Now()
	err = errors.Join(err, p.Stop(syscall.SIGINT))
	return ready, time.Since(asked), err
}

// readVariable reads a value of a file of NAME=value lines, "" if it is not there.
func readVariable(path, name string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(strings.TrimSuffix(line, "\n"), name+"="); found && strings.HasSuffix(line, "\n") {
			return value, nil
		}
	}
	return "", nil
}
