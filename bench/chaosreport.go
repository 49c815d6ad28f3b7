package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// ChaosReport is what `sello bench chaos` measures and proves.
type ChaosReport struct {
	Settings map[string]string `json:"database_settings"`
	Seed     uint64            `json:"seed"`
	Clients  int               `json:"clients"`
	Cards    int               `json:"cards"`
	Copies   int               `json:"copies"`
	// Sends are requests of which the client learnt the outcome, or that it got none.
	Sends  int64         `json:"sends"`
	Took   time.Duration `json:"took_ns"`
	Proved time.Duration `json:"proved_ns"`
	// Outcomes are done, replayed, refused and unknown sends, in all and by kind.
	Outcomes map[chaosOutcome]int            `json:"outcomes"`
	Kinds    map[string]map[chaosOutcome]int `json:"kinds"`
	// Refusals are by code; Unknown by what stood in the way of an answer.
	Refusals map[string]int `json:"refusals"`
	Unknown  map[string]int `json:"unknown"`
	Faults   []ChaosFault   `json:"faults"`
	Proof    ChaosProof     `json:"proof"`
	// Altered are the rows altered by direct SQL, with what verify said of each.
	Altered []string `json:"altered"`
	Harness Usage    `json:"harness"`
}

func (r *ChaosReport) take(load *chaosLoad, monkey *chaosMonkey, took time.Duration) {
	r.Sends, r.Took = load.answered.Load(), took
	r.Outcomes, r.Kinds, r.Refusals, r.Unknown, r.Faults = load.sums(), load.counts, load.codes, load.unknown, monkey.done
}

// Print writes the report for people.
func (r ChaosReport) Print(w io.Writer) {
	printSettings(w, r.Settings)
	p := r.Proof
	fmt.Fprintf(w, "%d operations, %d sends over %d connections on %d cards in %s, %.0f /s; seed %d\n",
		p.Operations, r.Sends, r.Clients, r.Cards, seconds(r.Took), float64(r.Sends)/r.Took.Seconds(), r.Seed)
	for _, f := range r.Faults {
		fmt.Fprintf(w, "  at send %-9d %s, ready again after %s\n", f.At, f.What, seconds(f.Recovered))
	}
	fmt.Fprintf(w, "  %-14s %9s %9s %9s %9s\n", "", chaosDone, chaosReplayed, chaosRefused, chaosUnknown)
	row := func(name string, n map[chaosOutcome]int) {
		fmt.Fprintf(w, "  %-14s %9d %9d %9d %9d\n", name, n[chaosDone], n[chaosReplayed], n[chaosRefused], n[chaosUnknown])
	}
	for _, k := range chaosKinds {
		if n := r.Kinds[k.name]; n != nil {
			row(k.name, n)
		}
	}
	row("all", r.Outcomes)
	printCounts(w, "refused", r.Refusals)
	printCounts(w, "unacknowledged", r.Unknown)
	if r.Copies > 1 {
		fmt.Fprintf(w, "%d operations each sent %d times: exactly %d effects, repeats equal the first answers\n", p.Operations, r.Copies, p.Effects)
	}
	fmt.Fprintf(w, "proved in %s   every acknowledged operation is there once, as it was answered: %d of %d have an effect, %d movements\n",
		seconds(r.Proved), p.Effects, p.Operations, p.Movements)
	fmt.Fprintf(w, "                of %d with an unacknowledged send %d were answered later, %d never and are there whole, %d never and left nothing\n",
		p.Unacknowledged, p.Settled, p.Whole, p.None)
	fmt.Fprintln(w, "                nothing refused or invented, one key and one event each, balances and lots are sums, verify clean")
	for _, line := range r.Altered {
		fmt.Fprintf(w, "altered         %s\n", line)
	}
	fmt.Fprintf(w, "harness         %s\n", r.Harness)
}

func printCounts(w io.Writer, what string, counts map[string]int) {
	fmt.Fprintf(w, "  %s:", what)
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(w, " %s %d;", name, counts[name])
	}
	fmt.Fprintln(w)
}
