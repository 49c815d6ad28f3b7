package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"

	"sello/bench"
)

// benchCommand measures this very program, as processes of its own on a private
// PostgreSQL, and proves that what it did is right: a wrong outcome is exit code 4.
type benchCommand struct {
	Import   benchImportCommand   `cmd:"" help:"Import a file of points beside a plain COPY, and again while the worker is killed."`
	Postings benchPostingsCommand `cmd:"" help:"Post from many clients at once beside the bare SQL statement."`
	Start    benchStartCommand    `cmd:"" help:"Time the first and the second start of dev."`
}

type benchImportCommand struct {
	Rows  int    `default:"100000" help:"Data rows of the file."`
	Bad   int    `default:"1" help:"Percentage of bad rows, of every kind."`
	New   int    `default:"10" help:"Percentage of good rows with new customers; the others are imported before."`
	Kills int    `default:"3" help:"How often the worker is killed while it imports another file of the same shape; 0 leaves that out."`
	Seed  uint64 `help:"Draws the file and the moments; left out, a random one, which is printed."`
	JSON  bool   `help:"Print JSON."`
}

// Run measures and proves.
func (c benchImportCommand) Run(ctx context.Context) error {
	if c.Rows < 100 || c.Bad < 0 || c.Bad > 50 || c.New < 0 || c.New > 100 || c.Kills < 0 {
		return exitError{exitUsage, fmt.Errorf("give at least 100 rows, at most 50 %% of them bad and 100 %% new")}
	}
	config, binary, err := benchSetup()
	if err != nil {
		return err
	}
	r, err := bench.MeasureImport(ctx, bench.ImportOptions{
		Binary: binary, PostgresBin: config.PostgresBin, Rows: c.Rows, BadPercent: c.Bad, NewPercent: c.New, Kills: c.Kills,
		Seed: seedOr(c.Seed), Say: sayAside,
	})
	return benchReport(r, err, c.JSON, func() { r.Print(os.Stdout) })
}

type benchPostingsCommand struct {
	Clients    int    `default:"64" help:"Clients at the same time."`
	Operations int    `default:"20000" help:"Accruals and redemptions in a round."`
	Cards      int    `default:"500" help:"Cards they go to."`
	Repeats    int    `default:"20" help:"Percentage of the operations that repeat an earlier one by its key."`
	Through    string `default:"graphql" enum:"graphql,wallet" help:"Way in: graphql or wallet."`
	Rounds     int    `default:"3" help:"Rounds, each through HTTP and by the bare statement."`
	Seed       uint64 `help:"Draws the operations; left out, a random one, which is printed."`
	JSON       bool   `help:"Print JSON."`
}

// Run measures and proves.
func (c benchPostingsCommand) Run(ctx context.Context) error {
	if c.Clients < 1 || c.Clients > 128 || c.Operations < 100 || c.Cards < 1 || c.Repeats < 0 || c.Repeats > 90 || c.Rounds < 1 {
		return exitError{exitUsage, fmt.Errorf("give 1 to 128 clients, at least 100 operations, a card and a round, and at most 90 %% repeats")}
	}
	config, binary, err := benchSetup()
	if err != nil {
		return err
	}
	r, err := bench.MeasurePostings(ctx, bench.MeasureOptions{
		PostingOptions: bench.PostingOptions{Clients: c.Clients, Operations: c.Operations, Cards: c.Cards, RepeatPercent: c.Repeats, Seed: seedOr(c.Seed)},
		Binary:         binary, PostgresBin: config.PostgresBin, Through: c.Through, Rounds: c.Rounds, Say: sayAside,
	})
	return benchReport(r, err, c.JSON, func() { r.Print(os.Stdout) })
}

type benchStartCommand struct {
	Rounds int  `default:"3" help:"Rounds, each in a new data folder."`
	JSON   bool `help:"Print JSON."`
}

// Run measures.
func (c benchStartCommand) Run(ctx context.Context) error {
	_, binary, err := benchSetup()
	if err != nil {
		return err
	}
	r, err := bench.Starts(ctx, binary, max(1, c.Rounds))
	return benchReport(r, err, c.JSON, func() { r.Print(os.Stdout) })
}

// benchSetup is the program itself, and where PostgreSQL is.
func benchSetup() (Config, string, error) {
	config, err := readConfig()
	if err != nil {
		return Config{}, "", exitError{exitUsage, err}
	}
	binary, err := os.Executable()
	return config, binary, err
}

func benchReport(report any, err error, asJSON bool, text func()) error {
	if err != nil {
		return exitError{exitCheckFailed, err}
	}
	if asJSON {
		return json.NewEncoder(os.Stdout).Encode(report)
	}
	text()
	return nil
}

// sayAside tells what happens without getting into the report.
func sayAside(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

func seedOr(seed uint64) uint64 {
	if seed == 0 {
		return rand.Uint64N(1 << 32)
	}
	return seed
}
