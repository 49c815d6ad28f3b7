package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sello/graph"
	"sello/loyalty/coupon"
	"sello/loyalty/plan"
)

type verifyCommand struct {
	Company string `help:"Only this company, by its code."`
	JSON    bool   `help:"Print findings as JSON, one a line."`
}

// Run proves the books and ends with exit code 4 where a row is wrong.
func (c verifyCommand) Run(ctx context.Context) error {
	config, err := readConfig()
	if err != nil {
		return exitError{exitUsage, err}
	}
	if config.DatabaseURL == "" {
		return exitError{exitUsage, errors.New("DATABASE_URL is required")}
	}
	pool, err := connect(ctx, config, nil, role{works: true})
	if err != nil {
		return exitError{exitUnavailable, err}
	}
	defer pool.Close()
	books := newLedger(pool)
	var only *uuid.UUID
	if c.Company != "" {
		row, err := books.DB.CompanyByCode(ctx, c.Company)
		if errors.Is(err, pgx.ErrNoRows) {
			return exitError{exitUsage, fmt.Errorf("there is no company %q", c.Company)}
		}
		if err != nil {
			return fmt.Errorf("read the company: %w", err)
		}
		only = &row.ID
	}
	findings, err := books.Verify(ctx, only)
	if err != nil {
		return err
	}
	others, err := coupon.New(books.DB, time.Now).Verify(ctx, only)
	if err != nil {
		return err
	}
	messages, err := (&plan.Service{DB: books.DB, Now: time.Now}).Verify(ctx, only)
	if err != nil {
		return err
	}
	if err := errors.Join(printFindings(findings, c.JSON), printFindings(others, c.JSON), printFindings(messages, c.JSON)); err != nil {
		return err
	}
	if n := len(findings) + len(others) + len(messages); n > 0 {
		return exitError{exitCheckFailed, fmt.Errorf("the books are wrong in %d places", n)}
	}
	fmt.Fprintln(os.Stderr, "the books are right")
	return nil
}

// printFindings prints what is wrong, one a line.
func printFindings[F any](findings []F, asJSON bool) error {
	for _, f := range findings {
		if !asJSON {
			fmt.Println(f)
		} else if err := json.NewEncoder(os.Stdout).Encode(f); err != nil {
			return err
		}
	}
	return nil
}

type schemaCommand struct{}

// Run prints the schema in SDL, for code generators.
func (schemaCommand) Run() error {
	fmt.Print(graph.SDL())
	return nil
}
