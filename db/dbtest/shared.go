package dbtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"sello/db"
)

// Names of what we create, on whatever server: nothing else is ever dropped.
const (
	clonePrefix    = "sello_test_"          // + process key + "_" + counter
	templatePrefix = "sello_test_template_" // + hash of the migrations
)

// Advisory locks; all of them are taken in the database that adminURL names,
// because PostgreSQL keeps them apart per database.
const (
	lockClass      = 0x73656c6c // class of the per-process locks below
	lockTemplate   = 0x73656c6c_00000001
	lockUsers      = 0x73656c6c_00000002 // shared: a process that uses the server
	lockWatch      = 0x73656c6c_00000003 // the session that stops an idle server
	keepTemplates  = 4                   // newest ones, for as many working copies
	acquireTimeout = 2 * time.Minute
)

// server is what the tests of one process share: a PostgreSQL, on which the
// process is known by a key that it holds locked for its life. The kernel closes
// the connection of a dead process and so gives the key back: its databases are
// then anybody's to drop.
type server struct {
	adminURL string
	template string
	key      int32
	count    atomic.Int64
	holder   *pgx.Conn     // holds the locks, runs nothing
	admin    *pgxpool.Pool // creates and drops
}

var once = sync.OnceValues(func() (*server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), acquireTimeout)
	defer cancel()
	if address := os.Getenv("SELLO_TEST_DATABASE_URL"); address != "" {
		return join(ctx, address)
	}
	return joinPrivate(ctx)
})

func shared(tb testing.TB) *server {
	tb.Helper()
	s, err := once()
	if err != nil {
		tb.Fatalf("dbtest: no PostgreSQL for the tests: %v", err)
	}
	return s
}

// join makes this process a user of the server: from here on it neither stops
// by itself nor loses our databases.
func join(ctx context.Context, adminURL string) (_ *server, err error) {
	s := &server{adminURL: adminURL, template: templatePrefix + db.MigrationsHash()}
	if s.holder, err = pgx.Connect(ctx, adminURL); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			if s.admin != nil {
				s.admin.Close()
			}
			err = errors.Join(err, s.holder.Close(context.WithoutCancel(ctx)))
		}
	}()
	if _, err := s.holder.Exec(ctx, "SELECT pg_advisory_lock_shared($1)", int64(lockUsers)); err != nil {
		return nil, err
	}
	for ok := false; !ok; {
		s.key = rand.Int32()
		if err := s.holder.QueryRow(ctx, "SELECT pg_try_advisory_lock($1, $2)", int32(lockClass), s.key).Scan(&ok); err != nil {
			return nil, err
		}
	}
	config, err := pgxpool.ParseConfig(adminURL)
	if err != nil {
		return nil, err
	}
	config.MaxConns = 4
	config.MaxConnIdleTime = time.Minute
	if s.admin, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, err
	}
	if err := s.dropStale(ctx); err != nil {
		return nil, fmt.Errorf("drop the databases of dead runs: %w", err)
	}
	if err := s.ensureTemplate(ctx); err != nil {
		return nil, fmt.Errorf("create the template database: %w", err)
	}
	return s, nil
}

// clone copies a template, or a database that nobody is connected to any more.
// FILE_COPY is twice as fast as the default for a database this small, without fsync.
func (s *server) clone(ctx context.Context, template string) (string, error) {
	conn, err := s.admin.Acquire(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Release()
	name := s.nextName()
	return name, whenUnused(ctx, conn, "CREATE DATABASE "+ident(name)+" TEMPLATE "+ident(template)+" STRATEGY FILE_COPY")
}

func (s *server) nextName() string {
	return fmt.Sprintf("%s%d_%d", clonePrefix, s.key, s.count.Add(1))
}

func (s *server) drop(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	_, err := s.admin.Exec(ctx, "DROP DATABASE IF EXISTS "+ident(name)+" WITH (FORCE)")
	return err
}

// url is adminURL with another database.
func (s *server) url(name string) string {
	u, err := url.Parse(s.adminURL)
	if err != nil || u.Scheme == "" { // "host=… user=…": the last word wins
		return s.adminURL + " dbname=" + name
	}
	u.Path = "/" + name
	return u.String()
}

// dropStale drops the databases of processes that no longer hold their key.
func (s *server) dropStale(ctx context.Context) error {
	conn, err := s.admin.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	rows, err := conn.Query(ctx, "SELECT datname FROM pg_database WHERE starts_with(datname, $1) AND NOT datistemplate", clonePrefix)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, name := range names {
		var key int32
		if n, err := fmt.Sscanf(strings.TrimPrefix(name, clonePrefix), "%d_", &key); n != 1 || err != nil || key == s.key {
			continue
		}
		var dead bool
		if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1, $2)", int32(lockClass), key).Scan(&dead); err != nil {
			return err
		}
		if !dead {
			continue
		}
		_, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+ident(name)+" WITH (FORCE)")
		if _, unlockErr := conn.Exec(ctx, "SELECT pg_advisory_unlock($1, $2)", int32(lockClass), key); unlockErr != nil || err != nil {
			return errors.Join(err, unlockErr)
		}
	}
	return nil
}

// ensureTemplate migrates the template unless some process did before. It is
// built under a clone's name and renamed when complete: a process that dies in
// between leaves a stale clone, not half a template.
func (s *server) ensureTemplate(ctx context.Context) error {
	conn, err := s.admin.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", int64(lockTemplate)); err != nil {
		return err
	}
	defer conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(lockTemplate))

	var exists bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", s.template).Scan(&exists); err != nil || exists {
		return err
	}
	if err := dropOldTemplates(ctx, conn); err != nil {
		return err
	}
	name := s.nextName()
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+ident(name)+" TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"); err != nil {
		return err
	}
	if err := db.Migrate(ctx, s.url(name)); err != nil {
		return errors.Join(err, s.drop(context.WithoutCancel(ctx), name))
	}
	// Frozen rows and fresh statistics go into every clone; and a template
	// nobody can connect to can always be copied.
	if err := vacuum(ctx, s.url(name)); err != nil {
		return errors.Join(err, s.drop(context.WithoutCancel(ctx), name))
	}
	for _, sql := range []string{
		"ALTER DATABASE " + ident(name) + " RENAME TO " + ident(s.template),
		"ALTER DATABASE " + ident(s.template) + " WITH IS_TEMPLATE true ALLOW_CONNECTIONS false",
	} {
		if err := whenUnused(ctx, conn, sql); err != nil {
			return err
		}
	}
	return nil
}

// whenUnused repeats a statement that needs the database for itself: a backend
// whose client has closed takes a moment to go.
func whenUnused(ctx context.Context, conn *pgxpool.Conn, sql string) error {
	for {
		_, err := conn.Exec(ctx, sql)
		if pg, ok := errors.AsType[*pgconn.PgError](err); !ok || pg.Code != pgerrcode.ObjectInUse {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// dropOldTemplates leaves the newest ones but one: another is about to join.
func dropOldTemplates(ctx context.Context, conn *pgxpool.Conn) error {
	rows, err := conn.Query(ctx, "SELECT datname FROM pg_database WHERE starts_with(datname, $1) ORDER BY oid DESC OFFSET $2",
		templatePrefix, keepTemplates-1)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := conn.Exec(ctx, "ALTER DATABASE "+ident(name)+" WITH IS_TEMPLATE false"); err != nil {
			return err
		}
		if _, err := conn.Exec(ctx, "DROP DATABASE "+ident(name)+" WITH (FORCE)"); err != nil {
			return err
		}
	}
	return nil
}

func vacuum(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "VACUUM (FREEZE, ANALYZE)")
	return errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
}

func ident(name string) string { return pgx.Identifier{name}.Sanitize() }
