package bench

import "testing"

// A shim and the mutation that it calls are measured one after the other, and each
// case once a round.
func TestShimPlan(t *testing.T) {
	t.Parallel()
	for round := range 2 {
		met := map[LedgerCase]bool{}
		plan := shimPlan([]int{16, 64}, round)
		for i := 0; i < len(plan); i += 2 {
			a, b := plan[i], plan[i+1]
			if round%2 == 1 {
				a, b = b, a
			}
			if a.Clients != b.Clients || [2]string{a.Way, b.Way} != shimPairs[0] && [2]string{a.Way, b.Way} != shimPairs[1] {
				t.Errorf("round %d: %v and %v are no pair", round, a, b)
			}
			met[a], met[b] = true, true
		}
		if len(plan) != 8 || len(met) != 8 {
			t.Errorf("round %d: got %d cases, %d of them different, want 8", round, len(plan), len(met))
		}
	}
}
