package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// InstallOptions say what to install. Binary and DatabaseURL are required.
type InstallOptions struct {
	// Binary is the program under test.
	Binary string
	// DatabaseURL is a database that is empty, or migrated and without companies.
	DatabaseURL string
	// DatabasePID is the server's process id, for its CPU time; 0 if unknown.
	DatabasePID int
	// Env is added to the environment of every process, and wins.
	Env []string
	// Log, if set, gets the processes' standard error.
	Log io.Writer
	// Unread leaves what processes say to nobody: they log as they do by default, and
	// it costs the harness nothing.
	Unread bool
}

// Installation is Sello in production form on a database of its own: set up by
// its own commands, run as separate processes configured by the environment.
type Installation struct {
	Client *Client
	// ServerKey, PretiiKey and WalletKey are API keys of the company.
	ServerKey, PretiiKey, WalletKey string
	// Pool is the harness's own look at the rows.
	Pool *pgxpool.Pool

	options   InstallOptions
	env       []string
	addr      string
	processes []*Process
}

// Company is the code of the installation's company; Contact gets its mail.
const (
	Company = "prueba"
	Contact = "resultados@prueba.example"
)

// Install migrates, sets up a company with its keys, and starts nothing yet.
func Install(ctx context.Context, o InstallOptions) (*Installation, error) {
	i := &Installation{options: o}
	if err := i.configure(ctx); err != nil {
		return nil, err
	}
	for _, step := range []struct {
		into  *string
		stdin string
		args  []string
	}{
		{nil, "", []string{"migrate"}},
		{nil, "contraseña-de-prueba\n", []string{
			"company", "create", Company, "--name", "Prueba, S. A.", "--time-zone", "America/Lima", "--currency", "PEN", "--prefix", "+51",
			"--operator", "operador@prueba.example",
		}},
		{&i.ServerKey, "", []string{"key", "create", "--company", Company, "--kind", "server", "--name", "bench"}},
		{&i.PretiiKey, "", []string{"key", "create", "--company", Company, "--kind", "pretii", "--name", "bench", "--email", Contact}},
		{&i.WalletKey, "", []string{"key", "create", "--company", Company, "--kind", "wallet", "--name", "bench"}},
	} {
		out, err := run(ctx, o.Binary, step.args, i.env, step.stdin)
		if err != nil {
			return nil, fmt.Errorf("set up: %w", err)
		}
		if step.into != nil {
			*step.into = out
		}
	}
	var err error
	if i.Pool, err = pgxpool.New(ctx, o.DatabaseURL); err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	return i, nil
}

// configure makes the environment of the processes: nothing of the harness's own
// but what programs need to run at all.
func (i *Installation) configure(ctx context.Context) error {
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "SELLO_PG_BIN", "GOCOVERDIR"} {
		if value, set := os.LookupEnv(name); set {
			i.env = append(i.env, name+"="+value)
		}
	}
	keys, err := run(ctx, i.options.Binary, []string{"key", "sign"}, i.env, "")
	if err != nil {
		return fmt.Errorf("make a signing key: %w", err)
	}
	level := "warn"
	if i.options.Unread {
		level = "info"
	}
	i.env = append(i.env,
		"DATABASE_URL="+i.options.DatabaseURL, "JWT_KEYS="+keys, "SECRET="+strings.Repeat("not a secret ", 4), "LOG_LEVEL="+level, "RATE_LIMIT=100000000",
		// A killed worker's job is taken up again within seconds, not a minute.
		"JOB_TIMEOUT=4s", "JOB_RESCUE_AFTER=5s",
	)
	i.env = append(i.env, i.options.Env...)
	return i.place()
}

// place gives the installation an address: a port that was free a moment ago, since
// the program takes an address, not a listener, and callers have to know it.
func (i *Installation) place() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	i.addr = listener.Addr().String()
	i.Client = newClient("http://"+i.addr, 128)
	i.env = append(i.env, "ADDR="+i.addr, "BASE_URL=http://"+i.addr)
	return listener.Close()
}

// beside is another build of the program on the same database, with the same keys
// and an address of its own. Close it before the first.
func (i *Installation) beside(binary string) (*Installation, error) {
	other := &Installation{
		options: i.options, env: slices.Clone(i.env), ServerKey: i.ServerKey, PretiiKey: i.PretiiKey, WalletKey: i.WalletKey,
	}
	other.options.Binary = binary
	return other, other.place()
}

// Serve starts a server and waits until it is ready.
func (i *Installation) Serve(ctx context.Context) (*Process, error) {
	p, err := i.start("serve")
	if err != nil {
		return nil, err
	}
	return p, i.awaitReady(ctx, p)
}

// Worker starts a worker.
func (i *Installation) Worker() (*Process, error) { return i.start("worker") }

func (i *Installation) start(command string) (*Process, error) {
	p, err := startProcess(command, i.options.Binary, []string{command}, i.env, i.options.Log, i.options.Unread)
	if err == nil {
		i.processes = append(i.processes, p)
	}
	return p, err
}

func (i *Installation) awaitReady(ctx context.Context, p *Process) error {
	return Await(ctx, func() (bool, error) {
		select {
		case <-p.Exited():
			return false, fmt.Errorf("%s ended with code %d before it was ready\n%s", p.Name, p.ExitCode(), p.Log())
		default:
		}
		resp, err := i.Client.do(ctx, http.MethodGet, "/readyz", http.Header{}, nil)
		if err != nil {
			return false, nil //nolint:nilerr // not yet
		}
		return resp.StatusCode == http.StatusOK, resp.Body.Close()
	})
}

// Verify runs `sello verify`: it fails with its findings where a row is wrong.
func (i *Installation) Verify(ctx context.Context) error {
	if out, err := run(ctx, i.options.Binary, []string{"verify"}, i.env, ""); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// Setting sets one of the company's settings, which have no command of their own.
func (i *Installation) Setting(ctx context.Context, name, value string) error {
	_, err := i.Pool.Exec(ctx, `
		INSERT INTO company_setting (company_id, name, value, updated_at)
		SELECT id, $2, to_jsonb($3::text), now() FROM company WHERE code = $1
		ON CONFLICT (company_id, name) DO UPDATE SET value = excluded.value`, Company, name, value)
	if err != nil {
		return fmt.Errorf("set %s: %w", name, err)
	}
	return nil
}

// Close ends what still runs, politely, and fails where that did not go well.
func (i *Installation) Close() error {
	var err error
	for _, p := range slices.Backward(i.processes) {
		select {
		case <-p.Exited(): // killed or stopped by somebody who has looked at it
		default:
			err = errors.Join(err, p.Stop(syscall.SIGTERM))
		}
	}
	i.Client.http.CloseIdleConnections()
	if i.Pool != nil {
		i.Pool.Close()
	}
	return err
}

// pollEvery is how often a condition is looked at.
const pollEvery = 10 * time.Millisecond

// Await looks at a condition until it holds, fails, or ctx ends.
func Await(ctx context.Context, holds func() (bool, error)) error {
	for {
		ok, err := holds()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait: %w", context.Cause(ctx))
		case <-time.After(pollEvery):
		}
	}
}
