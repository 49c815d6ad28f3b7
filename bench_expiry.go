package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"sello/bench"
	"sello/loyalty/auth"
	"sello/loyalty/ledger"
)

type benchExpiryCommand struct {
	Lots  int  `default:"100000" help:"Lots that end."`
	Kills int  `default:"2" help:"How often the job is killed on the way through the days."`
	JSON  bool `help:"Print JSON."`
}

// Run measures and proves.
func (c benchExpiryCommand) Run(ctx context.Context) error {
	if c.Lots < 1000 || c.Kills < 0 {
		return exitError{exitUsage, fmt.Errorf("give at least 1,000 lots")}
	}
	config, binary, err := benchSetup()
	if err != nil {
		return err
	}
	r, err := bench.MeasureExpiry(ctx, bench.ExpiryOptions{Binary: binary, PostgresBin: config.PostgresBin, Lots: c.Lots, Kills: c.Kills, Say: sayAside})
	return benchReport(r, err, c.JSON, func() { r.Print(os.Stdout) })
}

// benchExpiryStepCommand is one process of `bench expiry`: what a worker does, by a
// clock that the harness sets.
type benchExpiryStepCommand struct {
	Do      string    `arg:"" enum:"preview,set,apply,expire" help:"What to do."`
	Company string    `required:"" help:"The company's code."`
	From    time.Time `required:"" help:"The clock at the beginning."`
	Until   time.Time `required:"" help:"The clock on the last day; each day has a run."`
	Days    int       `required:"" help:"After how many days points end by the new policy."`
}

// Run does the step and prints what came of it.
func (c benchExpiryStepCommand) Run(ctx context.Context) error {
	config, err := readConfig()
	if err != nil {
		return exitError{exitUsage, err}
	}
	a, err := newApp(ctx, config, slog.New(slog.NewTextHandler(io.Discard, nil)), role{works: true})
	if err != nil {
		return exitError{exitUnavailable, err}
	}
	defer a.close()
	row, err := a.store.CompanyByCode(ctx, c.Company)
	if err != nil {
		return fmt.Errorf("read the company: %w", err)
	}
	now := c.From
	books := a.graph.Ledger
	books.Now = func() time.Time { return now }
	change := ledger.ExpiryChange{
		CardTypeCode: "puntos", ApplyTo: ledger.AllPoints, Expiry: ledger.Expiry{Policy: ledger.ExpiresAfter, Count: c.Days, Unit: ledger.Days},
	}
	switch c.Do {
	case "preview":
		preview, err := books.ExpiryPolicyPreview(ctx, row.ID, change)
		if err != nil {
			return err
		}
		days := map[string]string{}
		for _, d := range preview.Days {
			days[d.On.Format(time.DateOnly)] = d.Amount.Trim(0).String()
		}
		return json.NewEncoder(os.Stdout).Encode(days)
	case "set":
		_, err := books.CardTypeExpirySet(ctx, auth.System(row.ID), change)
		return err
	case "apply":
		set, err := books.CardTypeByCode(ctx, row.ID, change.CardTypeCode)
		if err != nil {
			return err
		}
		_, _, err = books.PolicyApply(ctx, ledger.ExpiryPolicyApply{CompanyID: row.ID, CardTypeID: set.ID, Version: set.ExpiryVersion}, nil)
		return err
	}
	lots := 0
	for ; !now.After(c.Until); now = now.AddDate(0, 0, 1) {
		did, err := books.PointsExpire(ctx, row.ID, nil)
		if err != nil {
			return err
		}
		lots += did.Lots
	}
	fmt.Println(lots)
	return nil
}
