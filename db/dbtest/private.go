package dbtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"sello/db/embedded"
)

// idleSeconds without any test process, after which the private server stops.
const idleSeconds = 60

// throwAway trades every guarantee for speed: the data are worth nothing after
// the test. The log of changes stays small, so the folder does too.
var throwAway = map[string]string{
	"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off",
	"max_connections": "300", "shared_buffers": "128MB",
	"wal_level": "minimal", "max_wal_senders": "0",
	"min_wal_size": "80MB", "max_wal_size": "256MB",
	"log_checkpoints":    "off", // two per clone
	"autovacuum_naptime": "1h",  // it would only visit databases about to go
}

// joinPrivate starts the user's private server, or finds it running, and joins
// it. The server stops itself when idle, perhaps right now: then once more.
func joinPrivate(ctx context.Context) (*server, error) {
	binaries, err := embedded.Find(ctx, embedded.FindOptions{Dir: os.Getenv("SELLO_PG_BIN")})
	if err != nil {
		return nil, err
	}
	dir, err := privateDir(binaries.Major)
	if err != nil {
		return nil, err
	}
	o := embedded.Options{DataDir: dir, Binaries: binaries, Settings: throwAway, Disposable: true}
	for {
		address, err := embedded.Ensure(ctx, o)
		if err != nil {
			return nil, err
		}
		s, err := join(ctx, address.URL("postgres"))
		if err == nil {
			err = watchIdle(ctx, address.URL("postgres"), idleSeconds)
		}
		switch {
		case err == nil:
			return s, nil
		case !isShutdown(err):
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(err, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// privateDir is one folder per user and major version. It lies below a temporary
// folder, which every user may enter (the server of a root's tests runs as somebody
// else) and which systems clear when a crash of the machine may have spoilt the
// data.
func privateDir(major int) (string, error) {
	base := filepath.Join(tempDir(), fmt.Sprintf("sello-dbtest-%d", os.Geteuid()))
	mode := os.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o711
	}
	if err := os.Mkdir(base, mode); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	// Chmod fails on another user's folder: somebody laid a trap.
	if info, err := os.Lstat(base); err != nil || !info.IsDir() {
		return "", errors.Join(fmt.Errorf("%s is not a folder", base), err)
	}
	if err := os.Chmod(base, mode); err != nil {
		return "", fmt.Errorf("%s belongs to somebody else: %w", base, err)
	}
	return filepath.Join(base, fmt.Sprintf("pg%d", major)), nil
}

// watchIdle has the server itself watch for its users, in a session that no
// client waits for: nothing but PostgreSQL is left running between two runs,
// whatever signal ended the first, and a server that dies takes its watch along.
//
// The watch tries for the lock that every test process holds a share of. Having
// had it for that many seconds in a row it keeps it, so that nobody can join any
// more, and signals its postmaster, whose id is on the first line of
// postmaster.pid. Any process may call this: there is only one watch.
func watchIdle(ctx context.Context, adminURL string, seconds int) error {
	conn, err := pgconn.Connect(ctx, adminURL)
	if err != nil {
		return err
	}
	// By themselves: DO may not commit when it shares a query with others.
	if err := conn.Exec(ctx, `SET application_name = 'dbtest idle watch';
		SET client_min_messages = error; SET statement_timeout = 0`).Close(); err != nil {
		return errors.Join(err, conn.Close(ctx))
	}
	raw, err := conn.Hijack()
	if err != nil {
		return err
	}
	raw.Frontend.Send(&pgproto3.Query{String: fmt.Sprintf(`DO $$
DECLARE idle int := 0;
BEGIN
	IF NOT pg_try_advisory_lock(%[1]d) THEN
		RETURN;
	END IF;
	LOOP
		COMMIT; -- let go of the snapshot
		PERFORM pg_sleep(1);
		IF NOT pg_try_advisory_lock(%[2]d) THEN
			idle := 0;
			CONTINUE;
		END IF;
		idle := idle + 1;
		EXIT WHEN idle >= %[3]d;
		PERFORM pg_advisory_unlock(%[2]d);
	END LOOP;
	COPY (SELECT 1) TO PROGRAM 'kill -INT "$(head -n 1 postmaster.pid)"';
	PERFORM pg_sleep(60);
END $$`, int64(lockWatch), int64(lockUsers), seconds)})
	return errors.Join(raw.Frontend.Flush(), raw.Conn.Close())
}

// isShutdown says whether the server went while we talked to it.
func isShutdown(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pg.Code {
		case pgerrcode.AdminShutdown, pgerrcode.CannotConnectNow, pgerrcode.CrashShutdown:
			return true
		}
		return false
	}
	_, refused := errors.AsType[*pgconn.ConnectError](err)
	_, broken := errors.AsType[*net.OpError](err)
	return refused || broken || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
