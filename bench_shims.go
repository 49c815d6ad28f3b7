package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"sello/bench"
)

type benchShimsCommand struct {
	Clients []int   `default:"16,64" help:"Numbers of clients at the same time."`
	Seconds float64 `default:"5" help:"Seconds of each run."`
	Rounds  int     `default:"3" help:"Rounds of all runs; figures are their medians."`
	People  int     `default:"20000" help:"People with a card in the wallet and an account of points."`
	Codes   int     `default:"500000" help:"Serial codes; an operation uses one up."`
	JSON    bool    `help:"Print JSON."`
}

// Run measures and proves.
func (c benchShimsCommand) Run(ctx context.Context) error {
	if c.Seconds < 0.1 || c.Rounds < 1 || c.People < 1 || c.People > 10_000_000 || c.Codes < 1 || c.Codes > 10_000_000 ||
		len(c.Clients) == 0 || slices.Min(c.Clients) < 1 || slices.Max(c.Clients) > 128 {
		return exitError{exitUsage, fmt.Errorf("give 1 to 128 clients, a round of at least 0.1 s, and 1 to 10,000,000 people and codes")}
	}
	config, binary, err := benchSetup()
	if err != nil {
		return err
	}
	r, err := bench.MeasureShims(ctx, bench.ShimsOptions{
		Binary: binary, PostgresBin: config.PostgresBin, Clients: c.Clients, Rounds: c.Rounds,
		Each: time.Duration(c.Seconds * float64(time.Second)), People: c.People, Codes: c.Codes, Say: sayAside,
	})
	return benchReport(r, err, c.JSON, func() { r.Print(os.Stdout) })
}
