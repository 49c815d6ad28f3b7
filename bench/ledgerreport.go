package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// LedgerReport is what `sello bench ledger` measures and proves.
type LedgerReport struct {
	Settings      map[string]string `json:"database_settings"`
	Cores         int               `json:"cores"`
	Seed          uint64            `json:"seed"`
	Seconds       float64           `json:"seconds_a_run"`
	Rounds        int               `json:"rounds"`
	Clients       []int             `json:"clients"`
	Cards         int               `json:"cards"`
	Movements     int               `json:"movements_before"`
	Grown         int               `json:"movements_before_in_the_grown_database"`
	RedeemPercent int               `json:"redeem_percent"`
	Runs          []LedgerRun       `json:"runs"`
	// Small and Big are the same cases on both databases in turns.
	Small []LedgerRun `json:"small"`
	Big   []LedgerRun `json:"big"`
	// BytesFresh and BytesAfter are those of a movement with its indexes, as laid in
	// and after all runs.
	BytesFresh float64 `json:"bytes_a_movement_fresh"`
	BytesAfter float64 `json:"bytes_a_movement_after"`
	Updates    int64   `json:"card_updates"`
	HotUpdates int64   `json:"card_updates_hot"`
	Posted     int64   `json:"posted"`
	Replayed   int     `json:"replayed"`
}

// enoughRounds are so many undisturbed rounds that the disturbed ones need not be
// looked at.
const enoughRounds = 3

// figure is a median over rounds.
type figure struct {
	value     float64
	disturbed bool // most of its rounds were
	known     bool
}

func (f figure) text(format string) string {
	if !f.known {
		return "-"
	}
	text := fmt.Sprintf(format, f.value)
	if f.disturbed {
		text += "*"
	}
	return text
}

// overRounds is the median of what of says of each round's runs of the cases. It
// leaves disturbed rounds out where enough others are left.
func overRounds(runs []LedgerRun, of func(...LedgerRun) float64, cases ...LedgerCase) figure {
	byRound := map[int][]LedgerRun{}
	for _, c := range cases {
		for _, r := range runs {
			if r.LedgerCase == c {
				byRound[r.Round] = append(byRound[r.Round], r)
			}
		}
	}
	var all, quiet []float64
	for _, round := range slices.Sorted(maps.Keys(byRound)) {
		met := byRound[round]
		if len(met) != len(cases) {
			continue
		}
		value := of(met...)
		all = append(all, value)
		if !slices.ContainsFunc(met, LedgerRun.Disturbed) {
			quiet = append(quiet, value)
		}
	}
	f := figure{known: len(all) > 0, disturbed: 2*len(quiet) < len(all)}
	f.value = median(all)
	if len(quiet) >= enoughRounds {
		f.value, f.disturbed = median(quiet), false
	}
	return f
}

func rateRatio(r ...LedgerRun) float64 { return r[0].PerSecond() / r[1].PerSecond() }
func tailRatio(r ...LedgerRun) float64 { return r[0].P99.Seconds() / r[1].P99.Seconds() }
func rate(r ...LedgerRun) float64      { return r[0].PerSecond() }
func walOf(r ...LedgerRun) float64     { return r[0].WALBytes() }

// everyTime is all CPU time of ours that a posting took, the client's too: where
// the machine is the limit, rates are as its inverse, and others disturb it less.
func everyTime(r LedgerRun) float64    { return processCPU(r) + databaseTime(r) + harnessTime(r) }
func timeRatio(r ...LedgerRun) float64 { return everyTime(r[1]) / everyTime(r[0]) }

func milliseconds(of func(LedgerRun) time.Duration) func(...LedgerRun) float64 {
	return func(r ...LedgerRun) float64 { return of(r[0]).Seconds() * 1000 }
}

func processCPU(r ...LedgerRun) float64 {
	var sum time.Duration
	for _, u := range r[0].Window.Processes {
		sum += u.CPU
	}
	return perOperation(sum, r[0].Operations)
}

func databaseTime(r ...LedgerRun) float64 { return perOperation(r[0].Window.Database, r[0].Operations) }
func harnessTime(r ...LedgerRun) float64  { return perOperation(r[0].Window.Harness, r[0].Operations) }
func foreignShare(r ...LedgerRun) float64 { return r[0].Window.Foreign * 100 }

// Print writes the report as a page for people: Markdown tables.
func (r LedgerReport) Print(w io.Writer) {
	fmt.Fprintf(w, "%d rounds of %.0f s a run on %d cores, %d cards with %d movements before, %d %% redemptions, seed %d.\n",
		r.Rounds, r.Seconds, r.Cores, r.Cards, max(r.Movements, r.Cards), r.RedeemPercent, r.Seed)
	fmt.Fprint(w, "PostgreSQL")
	for _, name := range slices.Sorted(maps.Keys(r.Settings)) {
		fmt.Fprintf(w, " %s=%s", name, r.Settings[name])
	}
	fmt.Fprintln(w, ".")
	fmt.Fprintf(w, "%d postings answered, all once: keys = movements = events, balances = sums; %d keys sent again gave the first answer; verify clean.\n",
		r.Posted, r.Replayed)
	fmt.Fprintln(w, "Medians of the rounds; a star: in most rounds others took more than 15 % of the machine. By CPU time: all that a posting takes,")
	fmt.Fprintln(w, "the client's too, compared instead of rates; where the machine is the limit and others are on it, that is the truer ratio.")
	fmt.Fprintln(w)
	r.printCases(w)
	fmt.Fprintln(w)
	r.printGoals(w)
}

func (r LedgerReport) printCases(w io.Writer) {
	fmt.Fprintln(w, "| clients | cards | way | a second | to the bare CTE | by CPU time | p50, p99 ms | CPU µs a posting: server, database, client | WAL bytes | others % |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|---|")
	var told []LedgerCase
	for _, run := range r.Runs {
		c := run.LedgerCase
		if run.Round > 0 || slices.Contains(told, c) {
			continue
		}
		told = append(told, c)
		bare := LedgerCase{wayBare, c.Clients, c.Distribution}
		ratio, byTime := "1", "1"
		if c != bare {
			ratio, byTime = overRounds(r.Runs, rateRatio, c, bare).text("%.2f"), overRounds(r.Runs, timeRatio, c, bare).text("%.2f")
		}
		of := func(what func(...LedgerRun) float64, format string) string {
			return fmt.Sprintf(format, overRounds(r.Runs, what, c).value)
		}
		server := "-"
		if len(run.Window.Processes) > 0 {
			server = of(processCPU, "%.0f")
		}
		fmt.Fprintf(w, "| %d | %s | %s | %s | %s | %s | %s, %s | %s, %s, %s | %s | %s |\n", c.Clients, c.Distribution, c.Way, of(rate, "%.0f"), ratio, byTime,
			of(milliseconds(func(r LedgerRun) time.Duration { return r.P50 }), "%.2f"), of(milliseconds(func(r LedgerRun) time.Duration { return r.P99 }), "%.2f"),
			server, of(databaseTime, "%.0f"), of(harnessTime, "%.0f"), of(walOf, "%.0f"), of(foreignShare, "%.0f"))
	}
}

// goal is one of performance.md's, where the figures for it were measured.
type goal struct {
	name, what string
	floor      string
	got        figure
	format     string
}

func (r LedgerReport) goals() []goal {
	graphql := func(clients int, d Distribution) LedgerCase { return LedgerCase{wayGraphQL, clients, d} }
	bare := func(clients int) LedgerCase { return LedgerCase{wayBare, clients, Uniform} }
	goals := []goal{
		{"P1", "GraphQL to the bare CTE, 16 clients", "≥ 0.60", overRounds(r.Runs, rateRatio, graphql(16, Uniform), bare(16)), "%.2f"},
		{"P2", "GraphQL to the bare CTE, 64 clients", "≥ 1.00", overRounds(r.Runs, rateRatio, graphql(64, Uniform), bare(64)), "%.2f"},
		{"", "P1 by CPU time", "", overRounds(r.Runs, timeRatio, graphql(16, Uniform), bare(16)), "%.2f"},
		{"", "P2 by CPU time", "", overRounds(r.Runs, timeRatio, graphql(64, Uniform), bare(64)), "%.2f"},
		{"P3", "p99 of the same, 16 clients", "≤ 2", overRounds(r.Runs, tailRatio, graphql(16, Uniform), bare(16)), "%.2f"},
		{"", "p99 of the same, 64 clients", "≤ 2", overRounds(r.Runs, tailRatio, graphql(64, Uniform), bare(64)), "%.2f"},
		{"P4", "one card to many, GraphQL, 16 clients", "≥ 0.5", overRounds(r.Runs, rateRatio, graphql(16, OneCard), graphql(16, Uniform)), "%.2f"},
		{"P5", "wallet shim to GraphQL, 16 clients", "≥ 1.0", overRounds(r.Runs, rateRatio, LedgerCase{wayWallet, 16, Uniform}, graphql(16, Uniform)), "%.2f"},
		{"", "wallet shim to GraphQL, 64 clients", "≥ 1.0", overRounds(r.Runs, rateRatio, LedgerCase{wayWallet, 64, Uniform}, graphql(64, Uniform)), "%.2f"},
		{"P21", "bytes a movement with indexes, as laid in", "≤ 180", figure{r.BytesFresh, false, true}, "%.0f"},
		{"", "the same after all runs", "≤ 240", figure{r.BytesAfter, false, true}, "%.0f"},
		{"P22", "WAL bytes a posting, GraphQL, 16 clients, last round", "≤ 1,200", r.steadyWAL(), "%.0f"},
		{"P24", "heap-only share of the cards' updates", "≥ 0.98", figure{float64(r.HotUpdates) / float64(max(1, r.Updates)), false, r.Updates > 0}, "%.4f"},
	}
	if r.Grown > 0 {
		grown := r.grownRatio(wayGraphQL)
		goals = append(goals,
			goal{"P23", fmt.Sprintf("database CPU a posting, %d movements to %d, GraphQL", r.Grown, max(r.Movements, r.Cards)), "≤ 1.2", grown, "%.2f"},
			goal{"", "the same by the bare CTE", "≤ 1.2", r.grownRatio(wayBare), "%.2f"})
	}
	return goals
}

// steadyWAL is that of the last round, when most pages have been touched since the
// checkpoint.
func (r LedgerReport) steadyWAL() figure {
	last := slices.DeleteFunc(slices.Clone(r.Runs), func(run LedgerRun) bool { return run.Round != r.Rounds-1 })
	f := overRounds(last, walOf, LedgerCase{wayGraphQL, 16, Uniform})
	f.disturbed = false // bytes are the same in company
	return f
}

// grownRatio compares the database's CPU time on both databases, round by round.
func (r LedgerReport) grownRatio(name string) figure {
	var both []LedgerRun
	for _, run := range r.Big {
		run.Distribution = "grown" // to tell it from the small one's
		both = append(both, run)
	}
	both = append(both, r.Small...)
	return overRounds(both, func(met ...LedgerRun) float64 { return databaseTime(met[0]) / databaseTime(met[1]) },
		LedgerCase{name, grownClients, "grown"}, LedgerCase{name, grownClients, Uniform})
}

func (r LedgerReport) printGoals(w io.Writer) {
	fmt.Fprintln(w, "| | measured | got | goal |")
	fmt.Fprintln(w, "|---|---|---|---|")
	for _, g := range r.goals() {
		fmt.Fprintf(w, "| %s | %s | %s | %s |\n", g.name, g.what, g.got.text(g.format), g.floor)
	}
}
