package db

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"sello/db/migrations"
)

// ErrSchemaOutdated says that the database lacks migrations this binary needs.
var ErrSchemaOutdated = errors.New("the database schema is older than this program: run sello migrate up")

// migrationLock is the advisory lock of all who migrate ("sello" in ASCII).
const migrationLock = 0x73656c6c6f

// Migrate brings a database up to date: our schema (goose), then River's
// tables. Any number of processes may call it at once on an empty database;
// one migrates and the others wait for it.
//
// Neither library is safe for concurrent starters by itself, so one
// session-level advisory lock on a connection of its own spans both. The
// address must therefore lead to PostgreSQL itself or to a pooler in session
// mode; in transaction mode the lock would protect nothing.
func Migrate(ctx context.Context, databaseURL string) (err error) {
	unlock, err := lockMigrations(ctx, databaseURL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()

	config, err := pgxpool.ParseConfig(databaseURL)
	if err != nil {
		return fmt.Errorf("parse the database address: %w", err)
	}
	config.MinConns, config.MinIdleConns, config.MaxConns = 0, 0, 2
	config.AfterConnect = noTimeouts
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("connect to migrate: %w", err)
	}
	defer pool.Close()

	if err := migrateSchema(ctx, pool); err != nil {
		return err
	}
	river, err := riverMigrator(pool)
	if err != nil {
		return err
	}
	result, err := river.Migrate(ctx, rivermigrate.DirectionUp, nil)
	if err != nil {
		return fmt.Errorf("migrate River's tables: %w", err)
	}
	for _, v := range result.Versions {
		slog.InfoContext(ctx, "river migration applied", "version", v.Version, "took", v.Duration)
	}
	return nil
}

func migrateSchema(ctx context.Context, pool *pgxpool.Pool) (err error) {
	sqlDB := stdlib.OpenDBFromPool(pool)
	defer func() { err = errors.Join(err, sqlDB.Close()) }()

	provider, err := goose.NewProvider(goose.DialectPostgres, sqlDB, migrations.FS,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	results, err := provider.Up(ctx)
	for _, r := range results {
		slog.InfoContext(ctx, "migration applied", "version", r.Source.Version, "file", path.Base(r.Source.Path), "took", r.Duration)
	}
	if err != nil {
		return fmt.Errorf("migrate the schema: %w", err)
	}
	return nil
}

// lockMigrations asks again and again instead of waiting inside PostgreSQL: a
// statement that waits has a snapshot, CREATE INDEX CONCURRENTLY waits for
// older snapshots, and so the lock's owner and the next in line would wait for
// each other for ever, unseen by deadlock detection.
func lockMigrations(ctx context.Context, databaseURL string) (unlock func() error, err error) {
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return nil, fmt.Errorf("connect to lock the migrations: %w", err)
	}
	// Closing the connection gives the lock back, whatever state it is in.
	unlock = func() error { return conn.Close(context.WithoutCancel(ctx)) }
	for {
		var ok bool
		if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", int64(migrationLock)).Scan(&ok); err != nil {
			return nil, errors.Join(fmt.Errorf("lock the migrations: %w", err), unlock())
		}
		if ok {
			return unlock, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("wait for another process that migrates: %w", ctx.Err()), unlock())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// noTimeouts lets migrations take their time where the address or the role
// limits statements for everyday use.
func noTimeouts(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")
	return err
}

// CheckSchema returns an error that is [ErrSchemaOutdated], and says what is
// missing, unless every migration of this binary is applied. A database ahead
// of the binary is fine: the release before runs on the new schema.
func CheckSchema(ctx context.Context, pool *pgxpool.Pool) error {
	ours, err := ownVersions()
	if err != nil {
		return err
	}
	missing, err := missingVersions(ctx, pool, ours,
		"SELECT version_id FROM goose_db_version WHERE is_applied")
	if err != nil {
		return fmt.Errorf("read the schema version: %w", err)
	}
	rivers, err := riverVersions()
	if err != nil {
		return err
	}
	missingRiver, err := missingVersions(ctx, pool, rivers,
		"SELECT version FROM river_migration WHERE line = 'main'")
	if err != nil {
		return fmt.Errorf("read River's schema version: %w", err)
	}
	if len(missing) == 0 && len(missingRiver) == 0 {
		return nil
	}
	return fmt.Errorf("%w (missing: %v of ours, %v of River's)", ErrSchemaOutdated, missing, missingRiver)
}

// SchemaVersion returns the number of the newest of our migrations that the
// database has, 0 if it has none.
func SchemaVersion(ctx context.Context, pool *pgxpool.Pool) (int64, error) {
	var version int64
	err := pool.QueryRow(ctx, "SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied").Scan(&version)
	if isUndefinedTable(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the schema version: %w", err)
	}
	return version, nil
}

// missingVersions returns those of want that the query does not list.
func missingVersions(ctx context.Context, pool *pgxpool.Pool, want []int64, query string) ([]int64, error) {
	rows, err := pool.Query(ctx, query)
	if err != nil && !isUndefinedTable(err) {
		return nil, err
	}
	have, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil && !isUndefinedTable(err) {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(want), func(v int64) bool { return slices.Contains(have, v) }), nil
}

func isUndefinedTable(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code == pgerrcode.UndefinedTable
}

// MigrationsHash names the schema this binary makes: a hash over our files and
// River's version. Test templates carry it in their name.
func MigrationsHash() string {
	h := sha256.New()
	err := fs.WalkDir(migrations.FS, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(migrations.FS, name)
		fmt.Fprintf(h, "%s %d\n%s", name, len(text), text)
		return err
	})
	if err != nil {
		panic(err) // the files are part of the program
	}
	rivers, err := riverVersions()
	if err != nil {
		panic(err) // so are River's
	}
	fmt.Fprint(h, rivers)
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// ownVersions are the numbers of our migrations, as their file names say.
func ownVersions() ([]int64, error) {
	names, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil {
		return nil, err
	}
	versions := make([]int64, 0, len(names))
	for _, name := range names {
		number, _, _ := strings.Cut(name, "_")
		v, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("name of migration %s: %w", name, err)
		}
		versions = append(versions, v)
	}
	return versions, nil
}

// riverVersions are the numbers of River's migrations in this program; read
// once, because readiness asks often.
var riverVersions = sync.OnceValues(func() ([]int64, error) {
	river, err := riverMigrator(nil)
	if err != nil {
		return nil, err
	}
	var versions []int64
	for _, m := range river.AllVersions() {
		versions = append(versions, int64(m.Version))
	}
	return versions, nil
})

func riverMigrator(pool *pgxpool.Pool) (*rivermigrate.Migrator[pgx.Tx], error) {
	m, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, fmt.Errorf("migrations of the job queue: %w", err)
	}
	return m, nil
}
