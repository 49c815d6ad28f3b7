package main

import (
	"context"
	"fmt"
	"os"

	"sello/bench"
)

type benchChaosCommand struct {
	Operations int    `default:"20000" help:"Operations, of all kinds. The whole proof takes 1000000 with --kills=20 --restarts=2, half an hour of two cores."`
	Clients    int    `default:"64" help:"Connections."`
	Cards      int    `default:"1000" help:"Cards; some are used far oftener than others."`
	Kills      int    `default:"5" help:"How often the server is killed."`
	Restarts   int    `default:"2" help:"How often PostgreSQL is restarted, every other time as after a crash."`
	Copies     int    `default:"1" help:"How often each operation is sent, in random order, with its idempotency key; with more than once, nothing refuses them."`
	Retry      int    `default:"70" help:"Percentage of unacknowledged operations that are sent again; the others never are. With copies, all are."`
	Seed       uint64 `help:"Draws the operations and the moments; left out, a random one, which is printed."`
	JSON       bool   `help:"Print JSON."`
}

// Run measures and proves.
func (c benchChaosCommand) Run(ctx context.Context) error {
	if c.Operations < 100 || c.Clients < 1 || c.Clients > 128 || c.Cards < 10 || c.Kills < 0 || c.Restarts < 0 ||
		c.Copies < 1 || c.Copies > 100 || c.Retry < 0 || c.Retry > 100 {
		return exitError{exitUsage, fmt.Errorf("give at least 100 operations and 10 cards, 1 to 128 clients, 1 to 100 copies")}
	}
	config, binary, err := benchSetup()
	if err != nil {
		return err
	}
	r, err := bench.MeasureChaos(ctx, bench.ChaosOptions{
		Binary: binary, PostgresBin: config.PostgresBin, Operations: c.Operations, Clients: c.Clients, Cards: c.Cards, Kills: c.Kills,
		Restarts: c.Restarts, Copies: c.Copies, Retry: c.Retry, Seed: seedOr(c.Seed), Say: sayAside,
	})
	return benchReport(r, err, c.JSON, func() { r.Print(os.Stdout) })
}
