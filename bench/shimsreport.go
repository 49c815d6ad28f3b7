package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// ShimsReport is what `sello bench shims` measures and proves.
type ShimsReport struct {
	Settings map[string]string `json:"database_settings"`
	Cores    int               `json:"cores"`
	Seconds  float64           `json:"seconds_a_run"`
	Rounds   int               `json:"rounds"`
	Clients  []int             `json:"clients"`
	People   int               `json:"people"`
	Runs     []LedgerRun       `json:"runs"`
	Done     int               `json:"done"`
}

// Print writes the report as a page for people: a Markdown table.
func (r ShimsReport) Print(w io.Writer) {
	fmt.Fprintf(w, "%d rounds of %.0f s a run on %d cores, %d people.\n", r.Rounds, r.Seconds, r.Cores, r.People)
	fmt.Fprint(w, "PostgreSQL")
	for _, name := range slices.Sorted(maps.Keys(r.Settings)) {
		fmt.Fprintf(w, " %s=%s", name, r.Settings[name])
	}
	fmt.Fprintln(w, ".")
	fmt.Fprintf(w, "%d operations answered, all of them once in the books; verify clean. Medians of the rounds; a star: in most rounds\n", r.Done)
	fmt.Fprintln(w, "others took more than 15 % of the machine. By CPU time: all that an operation takes, the client's too, instead of rates.")
	fmt.Fprintln(w)
	fmt.Fprintln(w, "| clients | way | a second | to its mutation (P5: ≥ 1.0) | by CPU time | p50, p99 ms | CPU µs: server, database | WAL bytes | others % |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|")
	for _, clients := range r.Clients {
		for _, pair := range shimPairs {
			mutation := LedgerCase{pair[1], clients, Uniform}
			for _, way := range pair {
				c := LedgerCase{way, clients, Uniform}
				ratio, byTime := "1", "1"
				if c != mutation {
					ratio, byTime = overRounds(r.Runs, rateRatio, c, mutation).text("%.2f"), overRounds(r.Runs, timeRatio, c, mutation).text("%.2f")
				}
				of := func(what func(...LedgerRun) float64, format string) string {
					return fmt.Sprintf(format, overRounds(r.Runs, what, c).value)
				}
				fmt.Fprintf(w, "| %d | %s | %s | %s | %s | %s, %s | %s, %s | %s | %s |\n", clients, way, of(rate, "%.0f"), ratio, byTime,
					of(milliseconds(func(r LedgerRun) time.Duration { return r.P50 }), "%.2f"), of(milliseconds(func(r LedgerRun) time.Duration { return r.P99 }), "%.2f"),
					of(processCPU, "%.0f"), of(databaseTime, "%.0f"), of(walOf, "%.0f"), of(foreignShare, "%.0f"))
			}
		}
	}
}
