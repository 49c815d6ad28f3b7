// Sello is a loyalty platform: customers, points and money on cards, for many
// companies at once. One binary serves the dashboards' GraphQL and the tills'
// legacy APIs, works the queues, and keeps the books provable. See README.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	_ "time/tzdata" // business days need zones wherever the binary runs

	"github.com/alecthomas/kong"

	"sello/db"
	"sello/db/embedded"
)

// Exit codes.
const (
	exitFailure     = 1
	exitUsage       = 2
	exitUnavailable = 3
	exitCheckFailed = 4
)

type commands struct {
	Dev     devCommand     `cmd:"" help:"Run everything on this machine, with demo data and no configuration."`
	Serve   serveCommand   `cmd:"" help:"Serve HTTP: GraphQL, the tills' APIs, the job console."`
	Worker  workerCommand  `cmd:"" help:"Work the queues."`
	Migrate migrateCommand `cmd:"" help:"Bring the database's tables up to this version."`
	Company companyCommand `cmd:"" help:"Set up companies."`
	Key     keyCommand     `cmd:"" help:"Make, list and revoke credentials."`
	Import  importCommand  `cmd:"" help:"Import a file of points."`
	Verify  verifyCommand  `cmd:"" help:"Prove the books from their rows."`
	Schema  schemaCommand  `cmd:"" help:"Print the GraphQL schema."`
	Bench   benchCommand   `cmd:"" help:"Measure, under load and under faults."`

	Version kong.VersionFlag `help:"Print the version."`
}

// exitError ends the process with a code; its text has been, or is, the last word.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string { return e.err.Error() }
func (e exitError) Unwrap() error { return e.err }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	var cli commands
	parser := kong.Must(&cli, kong.Name("sello"), kong.UsageOnError(),
		kong.Description("A loyalty platform. `sello dev` runs it all on this machine."),
		kong.Vars{"version": version()}, kong.BindTo(ctx, (*context.Context)(nil)), kong.Exit(exitOf))
	command, err := parser.Parse(os.Args[1:])
	if err != nil {
		parser.FatalIfErrorf(err)
	}
	if err := command.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "sello:", err)
		os.Exit(codeOf(err))
	}
}

// exitOf maps kong's own exits: usage errors are 2.
func exitOf(code int) {
	if code != 0 {
		code = exitUsage
	}
	os.Exit(code)
}

func codeOf(err error) int {
	if e, ok := errors.AsType[exitError](err); ok {
		return e.code
	}
	switch {
	case errors.Is(err, embedded.ErrNotFound), errors.Is(err, embedded.ErrPermission):
		return exitUsage
	case errors.Is(err, embedded.ErrInUse), errors.Is(err, db.ErrSchemaOutdated):
		return exitUnavailable
	}
	return exitFailure
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "sello (unknown build)"
	}
	revision, modified := "development", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = " with changes"
		}
	}
	return fmt.Sprintf("sello %s%s (%s)", revision, modified, info.GoVersion)
}

// fromEnvironment is the configuration of a production command, complete.
func fromEnvironment() (Config, *slog.Logger, error) {
	config, err := readConfig()
	if err != nil {
		return Config{}, nil, exitError{exitUsage, err}
	}
	if err := config.check(); err != nil {
		return Config{}, nil, exitError{exitUsage, fmt.Errorf("the environment is not complete (see .env.example):\n%w", err)}
	}
	log := config.logTo()
	slog.SetDefault(log)
	return config, log, nil
}
