package main_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// TestTour runs the commands of docs/tour.md word for word, in one shell, against
// `sello dev` on a data folder of its own, and looks at what they print.
func TestTour(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("docs/tour.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := tourDir(t)
	env := filepath.Join(dir, "sello.env")
	var script strings.Builder
	script.WriteString("set -eu\n")
	for _, block := range shellBlock.FindAllStringSubmatch(string(text), -1) {
		script.WriteString(block[1])
	}
	// Only the file's place differs from the page.
	commands := strings.ReplaceAll(script.String(), "/tmp/sello.env", env)

	startDev(t, dir, env)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	shell := exec.CommandContext(ctx, "bash")
	shell.Stdin = strings.NewReader(commands)
	shell.Env = append(os.Environ(), "TMPDIR="+dir)
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("the tour's commands: %v\n%s", err, out)
	}
	for _, want := range []string{
		`"viewer":{"kind":"operator"`,
		`"lastName":"Ibáñez Muñoz"`,
		`"code":"contact_add_01"`,
		`"newBalance":100,"code":"new_sale_01"`,
		`"newBalance":70,"code":"new_sale_01"`,
		`"seq":2,"action":"ACCRUE","amount":"100","balanceAfter":"100","source":"wallet","reference":"T-1"`,
		`"seq":3,"action":"REDEEM","amount":"-30","balanceAfter":"70","source":"wallet","reference":"T-2"`,
		`"balance":"70","available":"70","seq":3`,
		`"balanceAfter":"75.5"},"replayed":false`,
		`"balanceAfter":"75.5"},"replayed":true`,
		`"code":"INSUFFICIENT_BALANCE","field":["input","points"]`,
		"terminada",
		"51;El email no es válido.",
		`"status":"KEPT"`,
		`Filas aplicadas: 980\nFilas con error: 20`,
		`"name":"imports"`,
		"the books are right",
	} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("the tour's output lacks %s", want)
		}
	}
	if t.Failed() {
		t.Logf("the tour's output:\n%s", out)
	}
}

// tourDir is a folder that the private PostgreSQL's user can enter too, which a
// test's own folder is not for everybody but root.
func tourDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sello-tour-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // another user has to enter
		t.Fatal(err)
	}
	return dir
}

// startDev runs `sello dev` until the test ends, and waits until it is ready.
func startDev(t *testing.T, dir, env string) {
	t.Helper()
	bin := filepath.Join(dir, "sello")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	logFile, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	dev := exec.Command(bin, "dev", "--port", "0", "--data", filepath.Join(dir, "data"), "--env-file", env)
	dev.Stdout, dev.Stderr = logFile, logFile
	if err := dev.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- dev.Wait() }()
	t.Cleanup(func() {
		_ = dev.Process.Signal(os.Interrupt)
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("dev after Ctrl-C: %v", err)
			}
		case <-time.After(time.Minute):
			_ = dev.Process.Kill()
			t.Error("dev did not end after Ctrl-C")
		}
		_ = logFile.Close()
	})
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		said, err := os.ReadFile(logFile.Name())
		if err == nil && bytes.Contains(said, []byte("\nready ")) {
			return
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("dev ended before it was ready: %v\n%s", err, said)
		case <-t.Context().Done():
			t.Fatalf("dev is not ready:\n%s", said)
		case <-tick.C:
		}
	}
}
