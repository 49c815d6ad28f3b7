package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// LedgerOptions shape `sello bench ledger`. Binary is required.
type LedgerOptions struct {
	Binary, PostgresBin string
	// Beside, if set, is another build of the program: its GraphQL is measured in
	// the same rounds on the same database.
	Beside string
	// Ways are those to measure: graphql, wallet, statement, bare.
	Ways          []string
	Clients       []int
	Distributions []Distribution
	Rounds        int
	Each          time.Duration
	// Cards, and the Movements laid in on them before.
	Cards, Movements int
	// Grown, if not zero, is a second database with so many movements on as many
	// cards, measured in turns with the first.
	Grown         int
	RedeemPercent int
	// Pool is the server's pool of connections; 0 is the default.
	Pool int
	Seed uint64
	Say  func(format string, args ...any)
}

func (o LedgerOptions) say(format string, args ...any) {
	if o.Say != nil {
		o.Say(format, args...)
	}
}

// hotClients and grownClients are the numbers at which one card, and a grown
// database, are held against many cards and a small one.
const (
	hotClients   = 16
	grownClients = 16
)

// ledgerPlan is the cases of one round: ways next to each other, so that what is
// compared is measured within seconds. Every other round goes backwards.
func ledgerPlan(o LedgerOptions, ways []string, round int) []LedgerCase {
	var cases []LedgerCase
	for _, clients := range o.Clients {
		for _, d := range o.Distributions {
			for _, w := range ways {
				cases = append(cases, LedgerCase{w, clients, d})
			}
		}
		if clients == hotClients {
			for _, w := range ways {
				if w != wayGraphQL && w != wayBare {
					continue
				}
				cases = append(cases, LedgerCase{w, clients, OneCard})
			}
		}
	}
	if round%2 == 1 {
		slices.Reverse(cases)
	}
	return cases
}

// MeasureLedger posts through GraphQL, through the wallet shim, by the server's own
// statement and by the barest one, in turns. An error tells what was wrong with
// the outcome; then there are no figures.
func MeasureLedger(ctx context.Context, o LedgerOptions) (r LedgerReport, err error) {
	d, err := StartDatabase(ctx, o.PostgresBin)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, d.Stop()) }()
	r = LedgerReport{
		Settings: d.Settings, Cores: runtime.NumCPU(), Seed: o.Seed, Seconds: o.Each.Seconds(), Rounds: o.Rounds,
		Cards: o.Cards, Movements: o.Movements, Grown: o.Grown, RedeemPercent: o.RedeemPercent, Clients: o.Clients,
	}
	bank, err := o.bank(ctx, d, d.URL, o.Movements)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, bank.Close()) }()
	all := map[string]way{
		"graphql": graphqlWay(wayGraphQL, bank.Installation, bank.Server), "wallet": walletWay(bank.Installation, bank.Server),
		"statement": pgxWay(wayStatement, postStatement), "bare": pgxWay(wayBare, postBareCTE),
	}
	var ways []way
	for _, name := range o.Ways {
		ways = append(ways, all[name])
	}
	servers := []*Process{bank.Server}
	if o.Beside != "" {
		other, err := bank.beside(o.Beside)
		if err != nil {
			return r, err
		}
		defer func() { err = errors.Join(err, other.Close()) }()
		process, err := other.Serve(ctx)
		if err != nil {
			return r, err
		}
		ways = append(ways, graphqlWay(wayBeside, other, process))
		servers = append(servers, process)
	}
	var grown *LedgerBank
	if o.Grown > 0 {
		url, err := createDatabase(ctx, d.URL, "grown")
		if err != nil {
			return r, err
		}
		if grown, err = o.bank(ctx, d, url, o.Grown); err != nil {
			return r, err
		}
		defer func() { err = errors.Join(err, grown.Close()) }()
	}
	if r.BytesFresh, err = bank.bytesAMovement(ctx); err != nil {
		return r, err
	}
	for round := range o.Rounds {
		o.say("round %d of %d", round+1, o.Rounds)
		if err := o.round(ctx, &r, bank, grown, ways, round); err != nil {
			return r, err
		}
	}
	o.say("proving the books")
	return r, o.prove(ctx, &r, servers, bank, grown)
}

func (o LedgerOptions) bank(ctx context.Context, d *Database, url string, movements int) (*LedgerBank, error) {
	var env []string
	if o.Pool > 0 {
		env = append(env, "DATABASE_POOL="+strconv.Itoa(o.Pool))
	}
	i, err := Install(ctx, InstallOptions{Binary: o.Binary, DatabaseURL: url, DatabasePID: d.PID, Env: env, Unread: true})
	if err != nil {
		return nil, err
	}
	o.say("laying in %d movements on %d cards", max(movements, o.Cards), o.Cards)
	b, err := NewLedgerBank(ctx, i, o.Cards, movements)
	if err != nil {
		return nil, errors.Join(err, i.Close())
	}
	return b, nil
}

func createDatabase(ctx context.Context, url, name string) (string, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return "", fmt.Errorf("connect to the database: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return "", fmt.Errorf("create the database %s: %w", name, err)
	}
	return replaceDatabase(url, name)
}

func (o LedgerOptions) round(ctx context.Context, r *LedgerReport, bank, grown *LedgerBank, ways []way, round int) error {
	var names []string
	byName := map[string]way{}
	for _, w := range ways {
		names = append(names, w.name)
		byName[w.name] = w
	}
	for n, c := range ledgerPlan(o, names, round) {
		run, err := bank.run(ctx, byName[c.Way], c, o, fmt.Sprintf("r%dc%d", round, n), o.Seed+uint64(1000*round+n))
		if err != nil {
			return err
		}
		o.tell(run)
		run.Round = round
		r.Runs = append(r.Runs, run)
	}
	if err := bank.checkCards(ctx); err != nil || grown == nil {
		return err
	}
	for n, on := range []*LedgerBank{bank, grown} {
		for m, w := range []way{graphqlWay(wayGraphQL, on.Installation, on.Server), pgxWay(wayBare, postBareCTE)} {
			c := LedgerCase{w.name, grownClients, Uniform}
			run, err := on.run(ctx, w, c, o, fmt.Sprintf("r%dg%d%d", round, n, m), o.Seed+uint64(1000*round+500+10*n+m))
			if err != nil {
				return err
			}
			o.tell(run)
			run.Round = round
			if on == grown {
				r.Big = append(r.Big, run)
			} else {
				r.Small = append(r.Small, run)
			}
		}
	}
	return errors.Join(bank.checkCards(ctx), grown.checkCards(ctx))
}

func (o LedgerOptions) tell(r LedgerRun) {
	o.say("  %-20s %2d clients, %-8s %6.0f/s, p50 %.2f ms, p99 %.2f ms, others %.0f %%", r.Way, r.Clients, r.Distribution,
		r.PerSecond(), r.P50.Seconds()*1000, r.P99.Seconds()*1000, r.Window.Foreign*100)
}

// prove ends the servers, so that the database knows all its updates, and checks
// everything.
func (o LedgerOptions) prove(ctx context.Context, r *LedgerReport, servers []*Process, banks ...*LedgerBank) error {
	for _, b := range banks {
		if b == nil {
			continue
		}
		if err := b.checkBooks(ctx); err != nil {
			return err
		}
		r.Posted += b.posted
	}
	for _, run := range slices.Concat(r.Runs, r.Small, r.Big) {
		r.Replayed += run.Replayed
	}
	first := banks[0]
	var err error
	if r.BytesAfter, err = first.bytesAMovement(ctx); err != nil {
		return err
	}
	for _, server := range servers {
		if err := server.Stop(syscall.SIGTERM); err != nil {
			return err
		}
	}
	if err := first.awaitAlone(ctx); err != nil {
		return err
	}
	r.Updates, r.HotUpdates, err = first.updates(ctx)
	return err
}
