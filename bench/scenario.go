package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// ImportOptions shape `sello bench import`. Binary is required.
type ImportOptions struct {
	Binary, PostgresBin string
	Rows, BadPercent    int
	// NewPercent of the good rows name new customers; the others are there before.
	NewPercent int
	Kills      int
	// Encoding and Delimiter are how the files are written.
	Encoding  Encoding
	Delimiter byte
	// Calls is how many rows are also posted by a call each, to compare what they cost.
	Calls int
	Seed  uint64
	// Say, if set, tells what happens.
	Say func(format string, args ...any)
}

// MeasureImport imports a file on a private PostgreSQL beside a plain COPY of it,
// and then another one of the same shape while the worker is killed. An error
// tells what was wrong with the outcome.
func MeasureImport(ctx context.Context, o ImportOptions) (r ImportReport, err error) {
	d, err := StartDatabase(ctx, o.PostgresBin)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, d.Stop()) }()
	dir, err := TempDir()
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	install := InstallOptions{Binary: o.Binary, DatabaseURL: d.URL, DatabasePID: d.PID}
	if o.Kills == 0 { // nobody is waited for: a chunk on a busy machine has time
		install.Env = []string{"JOB_TIMEOUT=60s", "JOB_RESCUE_AFTER=90s"}
	}
	inst, err := Install(ctx, install)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, inst.Close()) }()
	m, err := NewImporter(ctx, inst, o.Seed)
	if err != nil {
		return r, err
	}
	r.Settings, r.Seed = d.Settings, o.Seed

	measured, err := o.prepare(ctx, m, dir, "puntos", 0)
	if err != nil {
		return r, err
	}
	o.say("plain COPY of %s", measured.Name)
	r.CopyRows = measured.PlainRows
	if r.Copy, err = PlainCopy(ctx, d.URL, measured, 3); err != nil {
		return r, err
	}
	o.say("applying %s by hand-written SQL", measured.Name)
	if r.Bare, err = m.BareApply(ctx, measured); err != nil {
		return r, err
	}
	o.say("importing %s", measured.Name)
	if r.Measured, err = m.Import(ctx, measured, 0); err != nil {
		return r, err
	}
	if o.Calls > 0 {
		o.say("posting %d rows by a call each", o.Calls)
		if r.Calls, err = m.Call(ctx, measured, o.Calls); err != nil {
			return r, err
		}
	}
	if o.Kills == 0 {
		return r, nil
	}
	attacked, err := o.prepare(ctx, m, dir, "matado", 10_000_000)
	if err != nil {
		return r, err
	}
	o.say("importing %s, killing the worker %d times", attacked.Name, o.Kills)
	faults, err := m.Import(ctx, attacked, o.Kills)
	r.Faults = &faults
	return r, err
}

// prepare writes a file, after importing another one that makes the customers it
// takes for known.
func (o ImportOptions) prepare(ctx context.Context, m *Importer, dir, name string, from int) (*PointsFile, error) {
	good := o.Rows - o.Rows*o.BadPercent/100
	fresh := good * o.NewPercent / 100
	known := People{from, from + good - fresh}
	if known.Count() > 0 {
		base, err := WriteFile(dir, FileOptions{
			Name: name + "-base.csv", Rows: known.Count(), New: known, Encoding: o.Encoding, Delimiter: o.Delimiter, Seed: o.Seed,
		})
		if err != nil {
			return nil, err
		}
		o.say("importing %d customers to be known", known.Count())
		if _, err := m.Import(ctx, base, 0); err != nil {
			return nil, fmt.Errorf("import the known customers: %w", err)
		}
	}
	return WriteFile(dir, FileOptions{
		Name: name + ".csv", Rows: o.Rows, BadPercent: o.BadPercent, Known: known, New: People{known.To, known.To + fresh},
		Encoding: o.Encoding, Delimiter: o.Delimiter, Seed: o.Seed + 1,
	})
}

func (o ImportOptions) say(format string, args ...any) {
	if o.Say != nil {
		o.Say(format, args...)
	}
}

// MeasureOptions shape `sello bench postings`. Binary is required.
type MeasureOptions struct {
	PostingOptions
	Binary, PostgresBin string
	// Through is graphql or wallet.
	Through string
	Rounds  int
	Say     func(format string, args ...any)
}

// serverConnections is the pool of a server as it comes (DATABASE_POOL).
const serverConnections = 12

// MeasurePostings posts through a server and by the bare statement in turns, and
// lets many redeem from one card at once. An error tells what was wrong with the
// outcome.
func MeasurePostings(ctx context.Context, o MeasureOptions) (r PostingReport, err error) {
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
	if o.Say != nil {
		o.Say("opening %d cards", o.Cards)
	}
	b, err := NewBank(ctx, inst, o.Cards)
	if err != nil {
		return r, err
	}
	r = PostingReport{Settings: d.Settings, Options: o.PostingOptions, Through: o.Through, Few: serverConnections}
	through := b.GraphQL()
	if o.Through == "wallet" {
		through = b.Wallet()
	}
	for n := range o.Rounds {
		if o.Say != nil {
			o.Say("round %d of %d", n+1, o.Rounds)
		}
		var round PostingRound
		if round.Through, err = b.Run(ctx, o.PostingOptions, through, fmt.Sprintf("http-%d", n)); err != nil {
			return r, err
		}
		if round.Statement, err = b.Statement(ctx, o.PostingOptions, o.Clients, fmt.Sprintf("many-%d", n)); err != nil {
			return r, err
		}
		if round.Few, err = b.Statement(ctx, o.PostingOptions, serverConnections, fmt.Sprintf("few-%d", n)); err != nil {
			return r, err
		}
		r.Rounds = append(r.Rounds, round)
	}
	r.Hot, err = b.Exhaust(ctx, 0)
	return r, err
}
