package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Options say what to run and where.
type Options struct {
	// DataDir is created if missing; see [DefaultDataDir].
	DataDir string
	// Binaries come from [Find].
	Binaries Binaries
	// Settings are added to and win over the built-in ones ("fsync": "off").
	// Where the server listens is not theirs to say.
	Settings map[string]string
	// Disposable lets [Ensure] replace a cluster that does not start, which
	// one without fsync may not after a crash of the machine, by an empty one.
	Disposable bool
	// Log hears what happens, at start and stop; nil is silent. PostgreSQL's
	// own words go to postgres.log in the data folder.
	Log *slog.Logger
}

func (o Options) log() *slog.Logger { return cmp.Or(o.Log, slog.New(slog.DiscardHandler)) }

// Address is where a private server is reached.
type Address struct {
	socketDir string
	pid       int
}

// URL returns the connection string of a database for pgx and psql. Only the
// server's user and root can open the socket.
func (a Address) URL(dbname string) string {
	u := url.URL{
		Scheme: "postgres", User: url.User(superuser), Path: "/" + dbname,
		RawQuery: url.Values{"host": {a.socketDir}}.Encode(),
	}
	return u.String()
}

// PID returns the process id of the server.
func (a Address) PID() int { return a.pid }

// Server is a running private PostgreSQL that belongs to this process.
type Server struct {
	Address
	layout  layout
	process *process
	log     *slog.Logger

	mu   sync.Mutex
	lock *folderLock // nil once stopped
}

// Start runs the server on a data folder, creating the cluster if there is
// none, and returns when it answers. A server that a killed process left behind
// there is stopped first, so that the settings hold and nothing of the dead
// process goes on. ctx bounds the start only; crash recovery takes its time.
//
// It refuses with [ErrInUse] while another process, or another Server of this
// one, owns the folder, with [ErrPermission] and with [ErrServer].
func Start(ctx context.Context, o Options) (*Server, error) {
	l, err := ready(o)
	if err != nil {
		return nil, err
	}
	lock, err := acquire(l)
	if err != nil {
		return nil, err
	}
	if pid := runningPID(l); pid != 0 {
		o.log().WarnContext(ctx, "stopping a PostgreSQL that was left behind", "pid", pid)
		if err := stop(ctx, pid, watch(pid)); err != nil {
			return nil, errors.Join(err, lock.Close())
		}
	}
	p, err := startProcess(ctx, l, o, false)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	s := &Server{
		Address: Address{socketDir: l.socketDir, pid: p.pid},
		layout:  l, process: p, log: o.log(), lock: lock,
	}
	s.log.InfoContext(ctx, "PostgreSQL started", "pid", p.pid, "version", o.Binaries.Version, "data", l.dir)
	return s, nil
}

// Ensure makes sure that a server runs on a data folder, whoever started it,
// and leaves it running when this process ends: nobody owns it, and somebody
// else must see to its end. Processes that call it at the same time wait for
// each other. Settings count for the process that starts it.
func Ensure(ctx context.Context, o Options) (_ Address, err error) {
	l, err := ready(o)
	if err != nil {
		return Address{}, err
	}
	lock, err := acquireWaiting(ctx, l)
	if err != nil {
		return Address{}, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if pid := runningPID(l); pid != 0 {
		err := awaitReady(ctx, l, watch(pid))
		if err == nil {
			return Address{socketDir: l.socketDir, pid: pid}, nil
		}
		if !errors.Is(err, errExited) {
			return Address{}, err
		} // it was about to stop; start another
	}
	p, err := startProcess(ctx, l, o, true)
	if errors.Is(err, ErrServer) && o.Disposable {
		o.log().WarnContext(ctx, "the cluster does not start, making a new one", "data", l.dir, "error", err)
		if err := os.RemoveAll(l.cluster); err != nil {
			return Address{}, noAccess(l.cluster, err)
		}
		p, err = startProcess(ctx, l, o, true)
	}
	if err != nil {
		return Address{}, err
	}
	return Address{socketDir: l.socketDir, pid: p.pid}, nil
}

// Done is closed when the server has ended, on its own or by [Server.Stop].
func (s *Server) Done() <-chan struct{} { return s.process.exited }

// LogFile returns the path of what PostgreSQL says.
func (s *Server) LogFile() string { return s.layout.logFile }

// Stop ends the server, within about 10 seconds the fast way (running
// statements are cut off, the data are written out), and then by force, which
// crash recovery mends at the next start. The end of ctx ends the patience, not
// the stopping. The data folder is free afterwards; stopping again does nothing.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lock == nil {
		return nil
	}
	if err := stop(ctx, s.pid, s.process.exited); err != nil {
		return err
	}
	s.log.InfoContext(ctx, "PostgreSQL stopped", "pid", s.pid)
	lock := s.lock
	s.lock = nil
	return lock.Close()
}

// EnsureDatabase creates a database unless it exists.
func (s *Server) EnsureDatabase(ctx context.Context, name string) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return fmt.Errorf("connect to create the database: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == pgerrcode.DuplicateDatabase {
		return nil
	}
	if err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	return nil
}

// DropDatabase drops a database, and whoever is connected to it; one that does not
// exist is no error.
func (s *Server) DropDatabase(ctx context.Context, name string) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return fmt.Errorf("connect to drop the database: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("drop the database: %w", err)
	}
	return nil
}

// ready checks what can be checked before anything is touched, and prepares
// the data folder.
func ready(o Options) (layout, error) {
	if !supported {
		return layout{}, notFound("Sello cannot run a private PostgreSQL on this system.", nil)
	}
	if o.Binaries.Dir == "" {
		return layout{}, notFound("No PostgreSQL binaries were given.", nil)
	}
	if o.DataDir == "" {
		return layout{}, errors.New("embedded: no data folder given")
	}
	l, err := prepare(o.DataDir)
	if err != nil {
		return layout{}, err
	}
	if closed := closedFolder(o.Binaries.Dir, l.owner); closed != "" {
		return layout{}, &Error{
			Kind: ErrPermission,
			Message: fmt.Sprintf("PostgreSQL refuses to run as root, so it runs as the user %q, which may not enter %s, where its programs are. "+
				"Install PostgreSQL for all users, run as an ordinary user, or set SELLO_PG_BIN to another folder.", l.owner.name, closed),
		}
	}
	major, err := clusterMajor(l.dir)
	if err != nil {
		return layout{}, err
	}
	if major != 0 && o.Binaries.Major != 0 && major != o.Binaries.Major {
		return layout{}, notFound(whyNot([]Binaries{o.Binaries}, major, l.dir), nil)
	}
	return l, nil
}

// lockPath of a data folder.
func (l layout) lockPath() string { return filepath.Join(l.dir, "lock") }
