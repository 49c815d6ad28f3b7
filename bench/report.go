package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// ImportReport is what `sello bench import` measures and proves.
type ImportReport struct {
	Settings map[string]string `json:"database_settings"`
	Seed     uint64            `json:"seed"`
	// Copy is a plain COPY of the measured file's rows.
	CopyRows int           `json:"copy_rows"`
	Copy     time.Duration `json:"copy_ns"`
	Measured ImportRun     `json:"measured"`
	// Bare is the measured file applied by hand-written SQL.
	Bare BareRun `json:"bare"`
	// Calls are rows posted by a call each; zero without.
	Calls CallRun `json:"calls"`
	// Faults is a file of the same shape under SIGKILL; absent without kills.
	Faults *ImportRun `json:"faults,omitempty"`
}

// Print writes the report for people.
func (r ImportReport) Print(w io.Writer) {
	printSettings(w, r.Settings)
	copyRate := float64(r.CopyRows) / r.Copy.Seconds()
	m := r.Measured
	fmt.Fprintf(w, "plain COPY      %9.0f rows/s   %d rows in %s\n", copyRate, r.CopyRows, seconds(r.Copy))
	fmt.Fprintf(w, "sello           %9.0f rows/s   %d rows (%d bad) in %s, of which the upload took %s\n", m.RowsPerSecond(), m.Rows, m.Bad, seconds(m.Applied), seconds(m.Upload))
	fmt.Fprintf(w, "hand-written    %9.0f rows/s   %d rows in %s\n", r.Bare.RowsPerSecond(), r.Bare.Rows, seconds(r.Bare.Took))
	fmt.Fprintf(w, "ratio           %9.3f to COPY (P11), %.2f to hand-written SQL (P10)\n", m.RowsPerSecond()/copyRate, m.RowsPerSecond()/r.Bare.RowsPerSecond())
	printWindow(w, m.Window, m.Rows, "row")
	fmt.Fprintf(w, "progress        a message at least every %s, the first rows applied after %s\n", seconds(m.Silent), seconds(m.Started))
	for _, name := range slices.Sorted(maps.Keys(m.Window.Processes)) {
		u := m.Window.Processes[name]
		fmt.Fprintf(w, "memory          %s: %.0f MiB idle, %.0f MiB above that at most (P13)\n", name, float64(u.RSS)/(1<<20), float64(u.PeakRSS-u.RSS)/(1<<20))
	}
	if c := r.Calls; c.Calls > 0 {
		fmt.Fprintf(w, "a call a row    %9.0f rows/s   %s of CPU each, %.1f times that of an imported row (P12)\n",
			float64(c.Calls)/c.Window.Took.Seconds(), c.each().Round(time.Microsecond), float64(c.each())/float64(m.each()))
	}
	fmt.Fprintln(w, "                every good row applied once, every bad one reported, mail kept, verify clean")
	if r.Faults == nil {
		return
	}
	f := *r.Faults
	fmt.Fprintf(w, "with SIGKILL    %d rows (%d bad) in %s, the worker killed %d times:\n", f.Rows, f.Bad, seconds(f.Applied), len(f.Kills))
	for _, k := range f.Kills {
		fmt.Fprintf(w, "                at row %d, taken up again after %s\n", k.AtRow, seconds(k.Recovered))
	}
	fmt.Fprintln(w, "                every good row applied once, every bad one reported, mail kept, verify clean")
	fmt.Fprintf(w, "seed            %d\n", r.Seed)
}

// PostingRound is one round of `sello bench postings`.
type PostingRound struct {
	Through PostingRun `json:"through"`
	// Statement is the bare statement over as many connections as there are
	// clients, Few over as many as the server has.
	Statement PostingRun `json:"statement"`
	Few       PostingRun `json:"few"`
}

// PostingReport is what `sello bench postings` measures and proves.
type PostingReport struct {
	Settings map[string]string `json:"database_settings"`
	Options  PostingOptions    `json:"options"`
	Through  string            `json:"through"`
	Few      int               `json:"few_connections"`
	Rounds   []PostingRound    `json:"rounds"`
	// Hot is of 200 redemptions of 10 at once on a card with 1,000.
	Hot Drained `json:"hot_card"`
}

// Print writes the report for people.
func (r PostingReport) Print(w io.Writer) {
	printSettings(w, r.Settings)
	fmt.Fprintf(w, "%d clients, %d operations on %d cards, %d %% of them repeats by key, through %s\n",
		r.Options.Clients, r.Options.Operations, r.Options.Cards, r.Options.RepeatPercent, r.Through)
	var ratio, few []float64
	for i, round := range r.Rounds {
		fmt.Fprintf(w, "round %d\n", i+1)
		printPosting(w, r.Through, round.Through)
		printPosting(w, fmt.Sprintf("SQL, %d conn.", r.Options.Clients), round.Statement)
		printPosting(w, fmt.Sprintf("SQL, %d conn.", r.Few), round.Few)
		ratio = append(ratio, round.Through.PerSecond()/round.Statement.PerSecond())
		few = append(few, round.Through.PerSecond()/round.Few.PerSecond())
	}
	fmt.Fprintf(w, "ratio           %.2f to the statement alone over %d connections, %.2f over %d (medians)\n",
		median(ratio), r.Options.Clients, median(few), r.Few)
	fmt.Fprintf(w, "hot card        200 redemptions of 10 at once on a card with 1,000: %d done, %d refused, all within %s\n",
		r.Hot.Done, r.Hot.Refused, seconds(r.Hot.Slowest))
	fmt.Fprintf(w, "                every answer as expected, exact balances, verify clean; seed %d\n", r.Options.Seed)
}

func printPosting(w io.Writer, name string, r PostingRun) {
	fmt.Fprintf(w, "  %-13s %7.0f /s   p50 %.2f ms   p99 %.2f ms", name, r.PerSecond(), r.P50.Seconds()*1000, r.P99.Seconds()*1000)
	for _, status := range slices.Sorted(maps.Keys(r.Statuses)) {
		fmt.Fprintf(w, "   status %d: %d", status, r.Statuses[status])
	}
	if r.Replayed > 0 {
		fmt.Fprintf(w, "   replayed %d", r.Replayed)
	}
	fmt.Fprintln(w)
	printWindow(w, r.Window, r.Operations, "op")
}

// Print writes the times for people.
func (s StartTimes) Print(w io.Writer) {
	first, second := s.Medians()
	fmt.Fprintf(w, "first start     %s until ready (median of %s)\n", seconds(first), list(s.First))
	fmt.Fprintf(w, "second start    %s until ready (median of %s)\n", seconds(second), list(s.Second))
	fmt.Fprintf(w, "Ctrl-C          %s until gone (median of %s)\n", seconds(median(s.Stop)), list(s.Stop))
}

func list(times []time.Duration) string {
	texts := make([]string, len(times))
	for i, t := range times {
		texts[i] = seconds(t)
	}
	return strings.Join(texts, ", ")
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

func printSettings(w io.Writer, settings map[string]string) {
	fmt.Fprint(w, "PostgreSQL      ")
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(w, "%s=%s ", name, settings[name])
	}
	fmt.Fprintln(w)
}

func printWindow(w io.Writer, r Window, operations int, what string) {
	for _, name := range slices.Sorted(maps.Keys(r.Processes)) {
		printUsage(w, name, r.Processes[name], operations, what)
	}
	if r.Database > 0 {
		fmt.Fprintf(w, "    %-11s %.2f s CPU (%.0f us a %s)\n", "database", r.Database.Seconds(), perOperation(r.Database, operations), what)
	}
	fmt.Fprintf(w, "    %-11s %.2f s CPU; others took %.0f %% of all cores\n", "harness", r.Harness.Seconds(), r.Foreign*100)
}

func printUsage(w io.Writer, name string, u Usage, operations int, what string) {
	fmt.Fprintf(w, "    %-11s %s (%.0f us a %s)\n", name, u, perOperation(u.CPU, operations), what)
}

func perOperation(d time.Duration, operations int) float64 {
	return float64(d.Microseconds()) / float64(max(1, operations))
}
