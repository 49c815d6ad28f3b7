package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"sello/bench"
)

// benchCommand measures this very program, as processes of its own on a private
// PostgreSQL, and proves that what it did is right: a wrong outcome is exit code 4.
type benchCommand struct {
	Import   benchImportCommand   `cmd:"" help:"Import a file of points beside a plain COPY, and again while the worker is killed."`
	Postings benchPostingsCommand `cmd:"" help:"Post from many clients at once beside the bare SQL statement."`
	Ledger   benchLedgerCommand   `cmd:"" help:"Post through every way in and by bare SQL in turns, at several numbers of clients; prints the tables of docs/performance.md."`
	Shims    benchShimsCommand    `cmd:"" help:"Post through the shims and through the mutations that they call, in turns."`
	Coupons  benchCouponsCommand  `cmd:"" help:"Make a batch of coupon codes beside a plain COPY, and again while the worker is killed."`
	Start    benchStartCommand    `cmd:"" help:"Time the first and the second start of dev."`
	Expiry   benchExpiryCommand   `cmd:"" help:"Preview the end of points and let it come, killed on the way, beside its own SQL."`
	Chaos    benchChaosCommand    `cmd:"" help:"Do all kinds of operations at random while the server is killed and PostgreSQL restarted, and prove what is there."`

	ExpiryStep benchExpiryStepCommand `cmd:"" hidden:"" help:"One process of bench expiry."`
}

type benchImportCommand struct {
	Rows  int `default:"100000" help:"Data rows of the file."`
	Bad   int `default:"1" help:"Percentage of bad rows, of every kind."`
	New   int `default:"10" help:"Percentage of good rows with new customers; the others are imported before."`
	Kills int `default:"3" help:"How often the worker is killed while it imports another file of the same shape; 0 leaves that out."`

	Encoding  string `default:"utf-8" enum:"utf-8,windows-1252" help:"How the file's letters are written: utf-8, windows-1252."`
	Delimiter string `default:"comma" enum:"comma,semicolon,tab" help:"What stands between cells: comma, semicolon, tab."`
	Calls     int    `default:"2000" help:"How many rows are also posted by a call each, to compare the cost; 0 leaves that out."`

	Seed uint64 `help:"Draws the file and the moments; left out, a random one, which is printed."`
	JSON bool   `help:"Print JSON."`
}

// delimiters are the characters of the flag's words.
var delimiters = map[string]byte{"comma": ',', "semicolon": ';', "tab": '\t'}

// Run measures and proves.
func (c benchImportCommand) Run(ctx context.Context) error {
	if c.Rows < 100 || c.Bad < 0 || c.Bad > 50 || c.New < 0 || c.New > 100 || c.Kills < 0 || c.Calls < 0 {
		return exitError{exitUsage, fmt.Errorf("give at least 100 rows, at most 50 %% of them bad and 100 %% new")}
	}
	config, binary, err := benchSetup()
	if err != nil {
		return err
	}
	r, err := bench.MeasureImport(ctx, bench.ImportOptions{
		Binary: binary, PostgresBin: config.PostgresBin, Rows: c.Rows, BadPercent: c.Bad, NewPercent: c.New, Kills: c.Kills,
		Encoding: bench.Encoding(c.Encoding), Delimiter: delimiters[c.Delimiter], Calls: c.Calls, Seed: seedOr(c.Seed), Say: sayAside,
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

type benchLedgerCommand struct {
	Clients      []int    `default:"1,16,64" help:"Numbers of clients at the same time."`
	Seconds      float64  `default:"5" help:"Seconds of each run."`
	Rounds       int      `default:"3" help:"Rounds of all runs; figures are their medians."`
	Cards        int      `default:"100000" help:"Cards."`
	Movements    int      `default:"100000" help:"Movements laid in on them before."`
	Grown        int      `help:"Compare with a second database of so many movements: 10000000 takes some minutes to lay in."`
	Distribution []string `default:"uniform,zipf" enum:"uniform,zipf" help:"How cards are drawn: uniform, zipf."`
	Ways         []string `default:"graphql,wallet,statement,bare" enum:"graphql,wallet,statement,bare" help:"Ways to measure: graphql, wallet, statement, bare."`
	Redeem       int      `default:"33" help:"Percentage of redemptions; the others are accruals."`
	Pool         int      `help:"The server's database connections (DATABASE_POOL); left out, its default."`
	Beside       string   `type:"existingfile" help:"Another build of sello, whose GraphQL is measured in the same rounds."`
	Seed         uint64   `help:"Draws the postings; left out, a random one, which is printed."`
	JSON         bool     `help:"Print JSON."`
}

// Run measures and proves.
func (c benchLedgerCommand) Run(ctx context.Context) error {
	if c.Seconds < 0.1 || c.Rounds < 1 || c.Cards < 1 || c.Cards > 10_000_000 || c.Movements < 0 || c.Grown < 0 || c.Redeem < 0 || c.Redeem > 50 ||
		len(c.Clients) == 0 || slices.Min(c.Clients) < 1 || slices.Max(c.Clients) > 128 {
		return exitError{exitUsage, fmt.Errorf("give 1 to 128 clients, a round of at least 0.1 s, 1 to 10,000,000 cards and at most 50 %% redemptions")}
	}
	config, binary, err := benchSetup()
	if err != nil {
		return err
	}
	o := bench.LedgerOptions{
		Binary: binary, PostgresBin: config.PostgresBin, Beside: c.Beside, Ways: c.Ways, Clients: c.Clients, Rounds: c.Rounds,
		Each: time.Duration(c.Seconds * float64(time.Second)), Cards: c.Cards, Movements: c.Movements, Grown: c.Grown,
		RedeemPercent: c.Redeem, Pool: c.Pool, Seed: seedOr(c.Seed), Say: sayAside,
	}
	for _, d := range c.Distribution {
		o.Distributions = append(o.Distributions, bench.Distribution(d))
	}
	r, err := bench.MeasureLedger(ctx, o)
	return benchReport(r, err, c.JSON, func() { r.Print(os.Stdout) })
}

type benchCouponsCommand struct {
	Codes int    `default:"1000000" help:"Codes of the batch."`
	Kills int    `default:"3" help:"How often the worker is killed while it makes another batch of as many; 0 leaves that out."`
	Seed  uint64 `help:"Draws the moments; left out, a random one, which is printed."`
	JSON  bool   `help:"Print JSON."`
}

// Run measures and proves.
func (c benchCouponsCommand) Run(ctx context.Context) error {
	if c.Codes < 1000 || c.Codes > 10_000_000 || c.Kills < 0 {
		return exitError{exitUsage, fmt.Errorf("give 1,000 to 10,000,000 codes")}
	}
	config, binary, err := benchSetup()
	if err != nil {
		return err
	}
	r, err := bench.MeasureCoupons(ctx, bench.CouponOptions{
		Binary: binary, PostgresBin: config.PostgresBin, Codes: c.Codes, Kills: c.Kills, Seed: seedOr(c.Seed), Say: sayAside,
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
