package main_test

import (
	"context"
	"os"
	"os/exec"
	"testing"

	"sello/bench"
)

// TestChaos: operations of all kinds at the same time while the server is killed and
// PostgreSQL restarted; and such that nothing refuses, each sent five times. What was
// acknowledged is there once, the rest whole or not at all. `sello bench chaos` is
// the same at any size.
func TestChaos(t *testing.T) {
	t.Parallel()
	binary, err := exec.LookPath("sello")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, tt := range []struct {
		name string
		o    bench.ChaosOptions
	}{
		{"all kinds", bench.ChaosOptions{Operations: 2000, Clients: 16, Cards: 200, Kills: 3, Restarts: 1, Copies: 1, Retry: 70, Seed: 1}},
		{"five copies", bench.ChaosOptions{Operations: 500, Clients: 16, Cards: 100, Kills: 1, Copies: 5, Seed: 2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := tt.o
			o.Binary, o.PostgresBin, o.Say = binary, os.Getenv("SELLO_PG_BIN"), t.Logf

			r, err := bench.MeasureChaos(ctx, o)
			if err != nil {
				t.Fatal(err)
			}

			if len(r.Faults) != o.Kills+o.Restarts || r.Proof.Operations != int64(o.Operations) || len(r.Altered) != 3 {
				t.Errorf("got %d faults, %d operations, %d altered rows found, want %d, %d and 3",
					len(r.Faults), r.Proof.Operations, len(r.Altered), o.Kills+o.Restarts, o.Operations)
			}
			if o.Copies > 1 && r.Proof.Effects != int64(o.Operations) {
				t.Errorf("effects: got %d, want one for each of %d operations", r.Proof.Effects, o.Operations)
			}
		})
	}
}
