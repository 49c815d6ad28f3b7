//go:build unix

package embedded_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"sello/db/embedded"
)

// TestMain lets the test binary play another Sello: "own" starts a server and
// holds it, "leave" makes sure of one that outlives it. Both print the server's
// process id and wait to be killed.
func TestMain(m *testing.M) {
	if role := os.Getenv("EMBEDDED_TEST_ROLE"); role != "" {
		if err := play(role, os.Getenv("EMBEDDED_TEST_DATA")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func play(role, dir string) error {
	ctx := context.Background()
	o := embedded.Options{DataDir: dir, Settings: fast}
	var err error
	if o.Binaries, err = embedded.Find(ctx, embedded.FindOptions{}); err != nil {
		return err
	}
	var pid int
	if role == "own" {
		server, err := embedded.Start(ctx, o)
		if err != nil {
			return err
		}
		pid = server.PID()
	} else {
		address, err := embedded.Ensure(ctx, o)
		if err != nil {
			return err
		}
		pid = address.PID()
	}
	fmt.Println(pid)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// fast spares the disk; nothing here cuts the power.
var fast = map[string]string{"fsync": "off", "shared_buffers": "16MB"}

func TestRestartKeepsData(t *testing.T) {
	t.Parallel()
	o := options(t)

	first := start(t, o)
	exec1(t, first.URL("postgres"), "CREATE TABLE kept AS SELECT 42 AS n")
	stop(t, first)
	second := start(t, o)

	if got := value(t, second.URL("postgres"), "SELECT n::text FROM kept"); got != "42" {
		t.Errorf("after a restart: got %q, want 42", got)
	}
	for setting, want := range map[string]string{
		"listen_addresses": "", "data_checksums": "on", "lc_collate": "C", "server_encoding": "UTF8",
		"max_wal_size": "4GB", "jit": "off", "fsync": "off",
	} {
		query := "SELECT current_setting('" + setting + "')"
		if setting == "lc_collate" {
			query = "SELECT datcollate FROM pg_database WHERE datname = current_database()"
		}
		if got := value(t, second.URL("postgres"), query); got != want {
			t.Errorf("%s: got %q, want %q", setting, got, want)
		}
	}
}

func TestEnsureDatabase(t *testing.T) {
	t.Parallel()
	server := start(t, options(t))

	for range 2 { // the second finds it there
		if err := server.EnsureDatabase(t.Context(), `sel"lo`); err != nil {
			t.Fatalf("EnsureDatabase: %v", err)
		}
	}

	if got := value(t, server.URL(`sel"lo`), "SELECT current_database()::text"); got != `sel"lo` {
		t.Errorf("connected to %q", got)
	}
}

func TestSecondStartIsRefused(t *testing.T) {
	t.Parallel()

	t.Run("same process", func(t *testing.T) {
		t.Parallel()
		o := options(t)
		server := start(t, o)

		_, err := embedded.Start(t.Context(), o)
		wantInUse(t, err, os.Getpid())

		stop(t, server)
		stop(t, start(t, o)) // the refusal has broken nothing
	})
	t.Run("other process", func(t *testing.T) {
		t.Parallel()
		o := options(t)
		other := playElsewhere(t, "own", o.DataDir)

		_, err := embedded.Start(t.Context(), o)
		wantInUse(t, err, other.cmd.Process.Pid)
	})
}

func wantInUse(t *testing.T, err error, pid int) {
	t.Helper()
	if !errors.Is(err, embedded.ErrInUse) {
		t.Fatalf("Start: got %v, want ErrInUse", err)
	}
	if e, ok := errors.AsType[*embedded.Error](err); !ok || e.PID != pid || !strings.Contains(e.Error(), strconv.Itoa(pid)) {
		t.Errorf("Start: got %+v, want one that names process %d", e, pid)
	}
}

func TestStartAfterOwnerWasKilled(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"own", "leave"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			o := options(t)
			other := playElsewhere(t, role, o.DataDir)
			exec1(t, other.url(t, o), "CREATE TABLE kept AS SELECT 42 AS n")
			if err := other.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = other.cmd.Wait() // "signal: killed"

			server := start(t, o)

			if server.PID() == other.server {
				t.Errorf("the server is still the killed process's, %d", other.server)
			}
			if got := value(t, server.URL("postgres"), "SELECT n::text FROM kept"); got != "42" {
				t.Errorf("after the owner was killed: got %q, want 42", got)
			}
		})
	}
}

func TestEnsureAdopts(t *testing.T) {
	t.Parallel()
	o := options(t)
	other := playElsewhere(t, "leave", o.DataDir)

	address, err := embedded.Ensure(t.Context(), o)

	if err != nil || address.PID() != other.server {
		t.Errorf("Ensure: got server %d, error %v, want server %d", address.PID(), err, other.server)
	}
	stop(t, start(t, o)) // ends the one left behind
}

func TestStartAfterServerCrashed(t *testing.T) {
	t.Parallel()
	o := options(t)
	server := start(t, o)
	exec1(t, server.URL("postgres"), "CREATE TABLE kept AS SELECT 42 AS n")

	if err := syscall.Kill(server.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-server.Done()
	stop(t, server)
	again := start(t, o)

	if got := value(t, again.URL("postgres"), "SELECT n::text FROM kept"); got != "42" {
		t.Errorf("after a crash: got %q, want 42", got)
	}
	log, err := os.ReadFile(again.LogFile())
	if err != nil || !strings.Contains(string(log), "automatic recovery in progress") {
		t.Errorf("the log (error %v) does not tell of the recovery, so nothing crashed", err)
	}
}

func TestStopDoesNotWaitForClients(t *testing.T) {
	t.Parallel()
	server := start(t, options(t))
	conn, err := pgx.Connect(t.Context(), server.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))

	stop(t, server)

	if err := conn.Ping(t.Context()); err == nil {
		t.Error("a connection outlived the server")
	}
	stop(t, server) // again, which does nothing
}

func TestLongPathNeedsAnotherSocketFolder(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.DataDir = filepath.Join(o.DataDir, strings.Repeat("long", 30), "with, comma")

	server := start(t, o)

	var got string
	if got = value(t, server.URL("postgres"), "SELECT current_setting('unix_socket_directories')"); strings.HasPrefix(got, o.DataDir) {
		t.Errorf("the socket is in %s, whose path is too long", got)
	}
	t.Cleanup(func() { os.RemoveAll(got) })
}

func TestNoPermission(t *testing.T) {
	t.Parallel()
	o := options(t)
	closed := filepath.Join(o.DataDir, "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 { // root is stopped by what the server's user may not enter
		if err := os.Chmod(closed, 0o500); err != nil {
			t.Fatal(err)
		}
	}
	o.DataDir = filepath.Join(closed, "data")

	_, err := embedded.Start(t.Context(), o)

	if !errors.Is(err, embedded.ErrPermission) || !strings.Contains(err.Error(), closed) {
		t.Errorf("Start: got %v, want ErrPermission that names %s", err, closed)
	}
}

func TestDefaultDataDirWorks(t *testing.T) {
	t.Parallel()
	dir, err := embedded.DefaultDataDir()
	if err != nil || !filepath.IsAbs(dir) {
		t.Fatalf("DefaultDataDir: got %q, %v", dir, err)
	}
	if os.Geteuid() == 0 && strings.HasPrefix(dir, "/root/") {
		t.Errorf("DefaultDataDir: got %s, closed to the server's user", dir)
	}
}

func TestServerThatCannotStart(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.Settings = map[string]string{"fsync": "off", "shared_buffers": "many"}

	_, err := embedded.Start(t.Context(), o)

	if !errors.Is(err, embedded.ErrServer) || !strings.Contains(err.Error(), `invalid value for parameter "shared_buffers"`) {
		t.Errorf("Start: got %v, want ErrServer with the server's words", err)
	}
	o.Settings = fast
	start(t, o) // the folder is free again
}

// options are those of a new data folder, which the server's user can reach
// even if the test runs as root (t.TempDir is closed to it).
func options(t *testing.T) embedded.Options {
	t.Helper()
	dir, err := os.MkdirTemp("", "sello-embedded-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	binaries, err := embedded.Find(t.Context(), embedded.FindOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return embedded.Options{DataDir: dir, Binaries: binaries, Settings: fast}
}

func start(t *testing.T, o embedded.Options) *embedded.Server {
	t.Helper()
	server, err := embedded.Start(t.Context(), o)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() { stop(t, server) })
	return server
}

func stop(t *testing.T, server *embedded.Server) {
	t.Helper()
	if err := server.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Errorf("Stop: %v", err)
	}
	<-server.Done()
}

// elsewhere is another process and the server it told us of.
type elsewhere struct {
	cmd    *exec.Cmd
	server int
}

func playElsewhere(t *testing.T, role, dir string) elsewhere {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "EMBEDDED_TEST_ROLE="+role, "EMBEDDED_TEST_DATA="+dir)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the other process said nothing: %v", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Wait() // it may have been killed
		_ = syscall.Kill(pid, syscall.SIGQUIT)
	})
	return elsewhere{cmd: cmd, server: pid}
}

// url reaches the other process's server: its socket is in the data folder.
func (e elsewhere) url(t *testing.T, o embedded.Options) string {
	t.Helper()
	return "postgres://sello@/postgres?host=" + filepath.Join(o.DataDir, "run")
}

func exec1(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func value(t *testing.T, url, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	var v string
	if err := conn.QueryRow(t.Context(), sql).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}
