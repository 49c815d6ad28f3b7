package bench

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"sello/db/embedded"
)

// Database is a private PostgreSQL in a temporary folder, with the settings that
// `sello dev` uses: commits wait for the disk.
type Database struct {
	URL string
	// PID is the server's process id.
	PID int
	// Settings are those that figures depend on, as the server says them.
	Settings map[string]string

	server  *embedded.Server
	options embedded.Options
	dir     string
}

// served are settings of a server that has a machine to itself, as the figures that the
// goals come from were measured with; the rest is as `sello dev` has it.
var served = map[string]string{"max_connections": "200", "shared_buffers": "1GB", "max_wal_size": "8GB"}

// StartDatabase starts one; binaries is the folder of PostgreSQL's programs, the
// best on the machine if empty.
func StartDatabase(ctx context.Context, binaries string) (*Database, error) {
	bin, err := embedded.Find(ctx, embedded.FindOptions{Dir: binaries})
	if err != nil {
		return nil, err
	}
	d := &Database{}
	if d.dir, err = TempDir(); err != nil {
		return nil, err
	}
	d.options = embedded.Options{DataDir: d.dir, Binaries: bin, Settings: served}
	if d.server, err = embedded.Start(ctx, d.options); err != nil {
		return nil, errors.Join(err, os.RemoveAll(d.dir))
	}
	if err = d.server.EnsureDatabase(ctx, "bench"); err == nil {
		d.URL, d.PID = d.server.URL("bench"), d.server.PID()
		d.Settings, err = settings(ctx, d.URL)
	}
	if err != nil {
		return nil, errors.Join(err, d.Stop())
	}
	return d, nil
}

// Stop ends the server and removes its folder.
func (d *Database) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return errors.Join(d.server.Stop(ctx), os.RemoveAll(d.dir))
}

// Restart stops the server and starts it again on the same data: the fast way, which
// cuts off what runs and writes everything out, or at once, as a crash would, which
// recovery mends.
func (d *Database) Restart(ctx context.Context, immediate bool) error {
	if immediate {
		if err := syscall.Kill(d.PID, syscall.SIGQUIT); err != nil {
			return fmt.Errorf("stop the private database: %w", err)
		}
		select {
		case <-d.server.Done():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := d.server.Stop(ctx); err != nil { // of one that has ended, frees its folder
		return err
	}
	server, err := embedded.Start(ctx, d.options)
	if err != nil {
		return err
	}
	d.server, d.PID = server, server.PID()
	return nil
}

// TempDir makes a temporary folder that another user may pass through: PostgreSQL
// refuses to run as root.
func TempDir() (string, error) {
	dir, err := os.MkdirTemp("", "sello-bench-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o711)
}

func settings(ctx context.Context, address string) (map[string]string, error) {
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("connect to the private database: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	rows, err := conn.Query(ctx, `SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY($1) ORDER BY name`, []string{
		"server_version", "fsync", "synchronous_commit", "full_page_writes", "wal_compression", "shared_buffers",
		"max_wal_size", "checkpoint_timeout", "random_page_cost", "jit", "max_connections",
	})
	if err != nil {
		return nil, fmt.Errorf("read the database's settings: %w", err)
	}
	found := map[string]string{}
	var name, value string
	_, err = pgx.ForEachRow(rows, []any{&name, &value}, func() error {
		found[name] = value
		return nil
	})
	return found, err
}

// replaceDatabase is the address of another database of the same server.
func replaceDatabase(address, name string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("read the database's address: %w", err)
	}
	u.Path = "/" + name
	return u.String(), nil
}
