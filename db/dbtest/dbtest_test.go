package dbtest_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"sello/db"
	"sello/db/dbtest"
	"sello/db/embedded"
)

func TestClonesAreMigratedAndIsolated(t *testing.T) {
	t.Parallel()
	one, two := dbtest.New(t), dbtest.New(t)

	mustExec(t, one, "CREATE TABLE mark AS SELECT 1 AS n")

	for _, pool := range []*pgxpool.Pool{one, two} {
		if err := db.CheckSchema(t.Context(), pool); err != nil {
			t.Errorf("CheckSchema of a clone: %v", err)
		}
	}
	if exists := query[bool](t, two, "SELECT to_regclass('mark') IS NOT NULL"); exists {
		t.Error("a table of one clone is in the other")
	}
}

// TestTempDir: a temporary folder that somebody has chosen is used, whatever memory there
// is; where none is chosen every user may enter it.
func TestTempDir(t *testing.T) {
	chosen := t.TempDir()
	t.Setenv("TMPDIR", chosen)
	if got := dbtest.TempDir(); got != chosen {
		t.Errorf("with a folder chosen: got %s, want %s", got, chosen)
	}
	t.Setenv("TMPDIR", "")
	info, err := os.Stat(dbtest.TempDir())
	if err != nil || info.Mode().Perm()&0o001 == 0 {
		t.Errorf("without: got %v, error %v, want a folder that all may enter", info, err)
	}
}

func TestDatabaseGoesWithItsTest(t *testing.T) {
	t.Parallel()
	var name string

	t.Run("uses one", func(t *testing.T) {
		url := dbtest.URL(t)
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		name = conn.Config().Database // and leaves the connection open
	})

	if exists, err := dbtest.DatabaseExists(t.Context(), name); err != nil || exists {
		t.Errorf("database %q after its test: exists %t, error %v", name, exists, err)
	}
}

// TestKilledRunLeavesNothing runs itself in another process, which it ends by
// SIGKILL.
func TestKilledRunLeavesNothing(t *testing.T) {
	t.Parallel()
	if os.Getenv("DBTEST_PLAY") != "" {
		pool := dbtest.New(t)
		fmt.Println(pool.Config().ConnConfig.Database)
		bufio.NewReader(os.Stdin).ReadString('\n') // until killed
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledRunLeavesNothing$")
	cmd.Env = append(os.Environ(), "DBTEST_PLAY=1")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimSpace(line)

	if err := dbtest.DropStale(t.Context()); err != nil {
		t.Fatal(err)
	}
	if exists, err := dbtest.DatabaseExists(t.Context(), name); err != nil || !exists {
		t.Errorf("database of a live run: exists %t, error %v", exists, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // "signal: killed"

	// PostgreSQL notices the dead client in its own time.
	for exists := true; exists && t.Context().Err() == nil; {
		if err := dbtest.DropStale(t.Context()); err != nil {
			t.Fatal(err)
		}
		if exists, err = dbtest.DatabaseExists(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
}

func TestServerSurvivesFaults(t *testing.T) {
	t.Parallel()
	server := dbtest.NewServer(t)
	url := server.URL()
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	mustExec(t, pool, "CREATE TABLE kept AS SELECT 42 AS n")

	for _, fault := range []struct {
		name string
		do   func()
	}{{"stop", server.Stop}, {"kill", server.Kill}} {
		before := server.PID()
		fault.do()
		if _, err := pgx.Connect(t.Context(), url); err == nil {
			t.Errorf("%s: the server still answers", fault.name)
		}
		server.Start()

		if server.PID() == before || server.URL() != url {
			t.Errorf("%s: process %d, then %d; address %s, then %s", fault.name, before, server.PID(), url, server.URL())
		}
		pool.Reset()
		if n := query[int](t, pool, "SELECT n FROM kept"); n != 42 {
			t.Errorf("%s: got %d, want 42", fault.name, n)
		}
	}
}

func TestIdleServerStopsByItself(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "sello-dbtest-idle-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	binaries, err := embedded.Find(t.Context(), embedded.FindOptions{Dir: os.Getenv("SELLO_PG_BIN")})
	if err != nil {
		t.Fatal(err)
	}
	server, err := embedded.Start(t.Context(), embedded.Options{DataDir: dir, Binaries: binaries, Settings: map[string]string{"fsync": "off"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Stop(t.Context()) })
	url := server.URL("postgres")
	user, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := user.Exec(t.Context(), "SELECT pg_advisory_lock_shared($1)", int64(dbtest.LockUsers)); err != nil {
		t.Fatal(err)
	}

	for range 3 { // as many processes would
		if err := dbtest.WatchIdle(t.Context(), url, 1); err != nil {
			t.Fatal(err)
		}
	}
	// In the server's own time, two rounds of a watch that waits for one.
	if _, err := user.Exec(t.Context(), "SELECT pg_sleep(2.5)"); err != nil {
		t.Fatalf("the server went while it was in use: %v", err)
	}
	var watches int
	if err := user.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dbtest idle watch'").Scan(&watches); err != nil || watches != 1 {
		t.Errorf("watches: got %d, error %v, want 1", watches, err)
	}
	if err := user.Close(t.Context()); err != nil {
		t.Fatal(err)
	}

	<-server.Done() // or the test binary's time-out
}

// BenchmarkNew measures what a test pays for its database.
func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		dbtest.URL(b)
	}
}

func mustExec(t *testing.T, pool *pgxpool.Pool, sql string) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func query[T any](t *testing.T, pool *pgxpool.Pool, sql string) T {
	t.Helper()
	rows, err := pool.Query(t.Context(), sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	v, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[T])
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}
