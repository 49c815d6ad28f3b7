package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
)

// ChaosOptions shape `sello bench chaos`. Binary is required.
type ChaosOptions struct {
	Binary, PostgresBin string
	Operations, Clients int
	Cards               int
	// Kills of the server by SIGKILL, and Restarts of PostgreSQL.
	Kills, Restarts int
	// Copies is how often each operation is sent, in random order. With more than one
	// the operations are such that nothing refuses them, and each has its effect.
	Copies int
	// Retry is the percentage of unacknowledged operations that are sent again until
	// they are answered; the others never are. Where there are copies, all are.
	Retry int
	Seed  uint64
	// Say, if set, tells what happens.
	Say func(format string, args ...any)
}

func (o ChaosOptions) sure() bool { return o.Copies > 1 }

// MeasureChaos sends a random workload of all kinds of operations while the server is
// killed and PostgreSQL restarted, and then proves from the rows that every
// acknowledged operation is there once, as it was answered, that every other one is
// there whole or not at all, that nothing else is, and that `sello verify` finds the
// books right, and a row altered by hand wrong. An error tells what was wrong with
// the outcome.
func MeasureChaos(ctx context.Context, o ChaosOptions) (r ChaosReport, err error) {
	if o.Say == nil {
		o.Say = func(string, ...any) {}
	}
	d, err := StartDatabase(ctx, o.PostgresBin)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, d.Stop()) }()
	inst, err := Install(ctx, InstallOptions{Binary: o.Binary, DatabaseURL: d.URL, DatabasePID: d.PID})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, inst.Close()) }()
	dir, err := TempDir()
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	record, err := newChaosRecord(dir)
	if err != nil {
		return r, err
	}
	defer record.close()
	server, err := inst.Serve(ctx)
	if err != nil {
		return r, err
	}
	o.Say("opening %d cards; seed %d", o.Cards, o.Seed)
	cards, err := openChaos(ctx, inst, o)
	if err != nil {
		return r, err
	}
	if err := withConn(ctx, d.URL, prepareChaos); err != nil {
		return r, err
	}
	r = ChaosReport{
		Settings: d.Settings, Seed: o.Seed, Clients: o.Clients, Cards: o.Cards, Copies: o.Copies,
	}
	rng := rand.New(rand.NewPCG(o.Seed, 12))
	load := newChaosLoad(inst, newChaosDrawer(o.Seed, cards, o.sure(), o.Retry), record, o)
	monkey := &chaosMonkey{
		inst: inst, db: d, server: server, say: o.Say,
		plan: planFaults(rng, int64(o.Operations)*int64(o.Copies), o.Kills, o.Restarts),
	}
	begun := time.Now()
	if err := runChaos(ctx, load, monkey, rng, o.Clients); err != nil {
		return r, fmt.Errorf("seed %d: %w", o.Seed, err)
	}
	r.take(load, monkey, time.Since(begun))
	inst.Pool.Reset() // its connections went with the database
	o.Say("proving: %d sends in %s", r.Sends, seconds(r.Took))
	begun = time.Now()
	err = withConn(ctx, d.URL, func(ctx context.Context, conn *pgx.Conn) error {
		if err := record.load(ctx, conn); err != nil {
			return err
		}
		r.Proof, err = proveChaos(ctx, conn, o.sure(), o.Say)
		if err := errors.Join(monkey.unexcused(load.faults), err); err != nil {
			return err
		}
		verified := time.Now()
		if err := inst.Verify(ctx); err != nil {
			return err
		}
		o.Say("  %6.2f s: sello verify", time.Since(verified).Seconds())
		r.Altered, err = tamper(ctx, inst, conn)
		return err
	})
	r.Proved = time.Since(begun)
	r.Harness = processUsage(os.Getpid())
	if err != nil {
		return r, fmt.Errorf("seed %d: %w", o.Seed, err)
	}
	return r, nil
}

// runChaos sends and breaks at the same time, until all has been sent.
func runChaos(ctx context.Context, load *chaosLoad, monkey *chaosMonkey, rng *rand.Rand, clients int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	broken := make(chan error, 1)
	go func() {
		err := monkey.run(ctx, load, rng)
		if err != nil {
			cancel(err) // clients wait for a server that does not come back
		}
		broken <- err
	}()
	err := load.run(ctx, clients)
	load.ended.Store(true)
	if err := errors.Join(<-broken, err); err != nil {
		return err
	}
	return monkey.check(ctx)
}

func withConn(ctx context.Context, url string, do func(context.Context, *pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return do(ctx, conn)
}
