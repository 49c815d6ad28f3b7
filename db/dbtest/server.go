package dbtest

import (
	"context"
	"os"
	"testing"

	"sello/db"
	"sello/db/embedded"
)

// Server is a PostgreSQL of one test's own, to be stopped, killed and started
// again under load. Its methods fail the test on error and are for the test's
// goroutine only.
type Server struct {
	tb      testing.TB
	options embedded.Options
	running *embedded.Server
}

// serverDatabase is the migrated database of a test's own server.
const serverDatabase = "sello"

// NewServer starts a server with one migrated database. It takes about two
// seconds; use [New] unless the server itself is at stake.
func NewServer(tb testing.TB) *Server {
	tb.Helper()
	// tb.TempDir is closed to the user PostgreSQL runs as under root.
	dir, err := os.MkdirTemp("", "sello-dbtest-server-")
	if err != nil {
		tb.Fatalf("dbtest: %v", err)
	}
	tb.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			tb.Errorf("dbtest: %v", err)
		}
	})
	if err := os.Chmod(dir, 0o711); err != nil {
		tb.Fatalf("dbtest: %v", err)
	}
	binaries, err := embedded.Find(tb.Context(), embedded.FindOptions{Dir: os.Getenv("SELLO_PG_BIN")})
	if err != nil {
		tb.Fatalf("dbtest: %v", err)
	}
	s := &Server{tb: tb, options: embedded.Options{DataDir: dir, Binaries: binaries, Settings: throwAway}}
	tb.Cleanup(func() { s.Stop() })
	s.Start()
	if err := s.running.EnsureDatabase(tb.Context(), serverDatabase); err != nil {
		tb.Fatalf("dbtest: %v", err)
	}
	if err := db.Migrate(tb.Context(), s.URL()); err != nil {
		tb.Fatalf("dbtest: %v", err)
	}
	return s
}

// URL returns the address of the migrated database; it stays the same over all
// restarts.
func (s *Server) URL() string { return s.running.URL(serverDatabase) }

// PID returns the process id of the server, by which a test proves that the
// fault happened. After Stop or Kill it is that of the process that ended.
func (s *Server) PID() int { return s.running.PID() }

// Start starts the stopped or killed server again on the same data.
func (s *Server) Start() {
	s.tb.Helper()
	running, err := embedded.Start(s.tb.Context(), s.options)
	if err != nil {
		s.tb.Fatalf("dbtest: %v", err)
	}
	s.running = running
}

// Stop stops the server properly; connections are cut. Stopping twice, or after
// a kill, does nothing.
func (s *Server) Stop() {
	s.tb.Helper()
	if s.running == nil {
		return
	}
	if err := s.running.Stop(context.WithoutCancel(s.tb.Context())); err != nil {
		s.tb.Errorf("dbtest: %v", err)
	}
}

// Kill ends the server with SIGKILL, as a crash would. The page cache survives,
// so this tests crash recovery, not fsync.
func (s *Server) Kill() {
	s.tb.Helper()
	process, err := os.FindProcess(s.PID())
	if err != nil {
		s.tb.Fatalf("dbtest: %v", err)
	}
	if err := process.Kill(); err != nil {
		s.tb.Fatalf("dbtest: kill the server: %v", err)
	}
	<-s.running.Done()
	s.Stop() // frees the data folder
}
