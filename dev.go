package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sello/db"
	"sello/db/embedded"
	"sello/demo"
	"sello/loyalty/auth"
)

type devCommand struct {
	Port    int    `default:"8080" help:"Port to serve on, on this machine only; 0 picks a free one."`
	Data    string `type:"path" help:"Folder of the private database; the user's data folder if left out." placeholder:"DIR"`
	EnvFile string `type:"path" help:"Write addresses and demo credentials as NAME=value lines." placeholder:"PATH"`
	Reset   bool   `help:"Begin anew: throw the private database away first."`
	Verbose bool   `short:"v" help:"Print the log."`
}

// secrets are what a private installation makes for itself, kept beside its data.
type secrets struct {
	JWTKeys     string
	Secret      string
	Credentials *demo.Credentials
}

// Run starts a private PostgreSQL (or uses DATABASE_URL), migrates, fills in the
// demo companies, serves and works the queues in one process until Ctrl-C.
func (c devCommand) Run(ctx context.Context) error {
	config, err := readConfig()
	if err != nil {
		return exitError{exitUsage, err}
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: max(config.LogLevel, slog.LevelWarn)}))
	if c.Verbose {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: config.LogLevel}))
	}
	slog.SetDefault(log)
	// The port first: when it is taken nothing else has been touched.
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(c.Port)))
	if err != nil {
		return exitError{exitUnavailable, fmt.Errorf("port %d cannot be used: %w\nchoose another one with --port, or --port 0 for any free one", c.Port, err)}
	}
	defer listener.Close()
	if c.EnvFile != "" {
		// Before the long work: a place that cannot be written is told at once.
		if err := writeEnv(c.EnvFile, nil); err != nil {
			return err
		}
	}
	data, err := c.dataDir()
	if err != nil {
		return err
	}
	stopDatabase, err := c.database(ctx, &config, data, log)
	if err != nil {
		return err
	}
	defer stopDatabase()
	err = c.serve(ctx, config, log, data, listener)
	if ctx.Err() != nil {
		fmt.Fprintln(os.Stderr, "stopped")
	}
	return err
}

func (c devCommand) dataDir() (string, error) {
	if c.Data != "" {
		return c.Data, nil
	}
	return embedded.DefaultDataDir()
}

// database makes sure there is one, and says how to stop it.
func (c devCommand) database(ctx context.Context, config *Config, data string, log *slog.Logger) (stop func(), err error) {
	if config.DatabaseURL != "" {
		if c.Reset {
			return nil, exitError{exitUsage, errors.New("--reset throws away the private database only; DATABASE_URL names another one")}
		}
		say("database   DATABASE_URL")
		return func() {}, nil
	}
	bin, err := embedded.Find(ctx, embedded.FindOptions{
		Dir: config.PostgresBin, DataDir: filepath.Join(data, "cluster"), AllowDownload: true,
		DownloadDir: filepath.Join(data, "postgresql"), Log: log,
	})
	if err != nil {
		return nil, err
	}
	options := embedded.Options{DataDir: filepath.Join(data, "cluster"), Binaries: bin, Log: log}
	server, err := embedded.Start(ctx, options)
	if err != nil {
		return nil, err
	}
	stop = func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "sello: stop the private database:", err)
		}
	}
	if c.Reset {
		if err := server.DropDatabase(ctx, "sello"); err != nil {
			stop()
			return nil, err
		}
		if err := os.Remove(filepath.Join(data, "secrets.json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			stop()
			return nil, fmt.Errorf("reset: %w", err)
		}
	}
	if err := server.EnsureDatabase(ctx, "sello"); err != nil {
		stop()
		return nil, err
	}
	config.DatabaseURL = server.URL("sello")
	say("database   PostgreSQL %s, private, in %s", bin.Version, data)
	return stop, nil
}

func (c devCommand) serve(ctx context.Context, config Config, log *slog.Logger, data string, listener net.Listener) error {
	kept, err := readSecrets(data)
	if err != nil {
		return err
	}
	config.JWTKeys, config.Secret, config.GraphiQL = kept.JWTKeys, kept.Secret, true
	config.WebhookAllowPrivate = true
	config.BaseURL = "http://" + listener.Addr().String()
	if config.APIDomain == "" {
		config.APIDomain = "api.sello.localhost"
	}
	if err := db.Migrate(ctx, config.DatabaseURL); err != nil {
		return err
	}
	a, err := newApp(ctx, config, log, role{works: true, stopping: ctx.Done()})
	if err != nil {
		return err
	}
	defer a.close()
	if kept.Credentials, err = demo.Seed(ctx, demo.Services{
		DB: a.store, Auth: a.auth, Company: a.graph.Companies, Customers: a.graph.Customers, Ledger: a.graph.Ledger,
		Catalog: a.graph.Catalog, Rewards: a.graph.Rewards, Plans: a.graph.Plans, Phones: a.graph.Phones, Points: a.graph.Points,
		Now: time.Now,
	}, kept.Credentials); err != nil {
		return fmt.Errorf("make the demo data: %w", err)
	}
	if err := writeSecrets(data, kept); err != nil {
		return err
	}
	vars := environment(config, kept.Credentials)
	if c.EnvFile != "" {
		if err := writeEnv(c.EnvFile, vars); err != nil {
			return err
		}
	}
	announce(config.BaseURL, kept.Credentials)
	return a.run(ctx, listener, nil)
}

func say(format string, args ...any) { fmt.Fprintf(os.Stdout, format+"\n", args...) }

func announce(base string, c *demo.Credentials) {
	say("ready      %s", base)
	say("")
	say("GraphiQL   %s/graphiql/", base)
	say("GraphQL    %s/graphql", base)
	say("queues     %s/jobs/", base)
	say("sign in    company %s, e-mail %s, password %s", c.Company, c.OperatorEmail, c.OperatorPassword)
	say("API keys   wallet %s", c.WalletAPIKey)
	say("           antcrm %s", c.AntCRMAPIKey)
	say("           server %s", c.ServerAPIKey)
	say("           pretii %s", c.PretiiToken)
	say("")
	say("Ctrl-C stops it; the data stays.")
}

// variable is one line of the file that --env-file writes.
type variable struct{ name, value string }

// environment is what scripts need (design.md 14). Names stay; those of parts
// that are not there yet are empty.
func environment(config Config, c *demo.Credentials) []variable {
	return []variable{
		{"BASE_URL", config.BaseURL},
		{"GRAPHQL_URL", config.BaseURL + "/graphql"},
		{"DATABASE_URL", config.DatabaseURL},
		{"COMPANY", c.Company},
		{"OPERATOR_EMAIL", c.OperatorEmail},
		{"OPERATOR_PASSWORD", c.OperatorPassword},
		{"SERVER_APIKEY", c.ServerAPIKey},
		{"WALLET_APIKEY", c.WalletAPIKey},
		{"WALLET_KEY", c.WalletKey},
		{"WALLET_USERTOOL_ID", strconv.FormatInt(c.WalletUserToolID, 10)},
		{"ANTCRM_APIKEY", c.AntCRMAPIKey},
		{"ANTCRM_CODES", strings.Join(c.AntCRM.Codes, ",")},
		{"ANTCRM_PRODUCT_CODE", c.AntCRM.ProductCode},
		{"ANTCRM_PRODUCT_NAME", c.AntCRM.ProductName},
		{"ANTCRM_PRODUCT_SCORE", c.AntCRM.ProductScore.String()},
		{"ANTCRM_GIFT_CODE", c.AntCRM.GiftCode},
		{"ANTCRM_GIFT_NAME", c.AntCRM.GiftName},
		{"ANTCRM_GIFT_SCORE", c.AntCRM.GiftScore.String()},
		{"PRETII_TOKEN", c.PretiiToken},
		{"PRETII_HOST", c.Company + "." + config.APIDomain},
		{"PRETII_CUSTOMER_EMAIL", c.Pretii.CustomerEmail},
		{"PRETII_CUSTOMER_QR", c.Pretii.CustomerQR},
		{"PRETII_STORE", c.Pretii.Store},
		{"PROMO_USER", ""},
		{"PROMO_PASSWORD", ""},
		{"SECOND_COMPANY_APIKEY", c.SecondCompanyAPIKey},
	}
}

func writeEnv(path string, vars []variable) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return exitError{exitUsage, fmt.Errorf("write the addresses and credentials: %w", err)}
	}
	w := bufio.NewWriter(f)
	for _, v := range vars {
		fmt.Fprintf(w, "%s=%s\n", v.name, v.value)
	}
	return errors.Join(w.Flush(), f.Close())
}

// readSecrets reads what an earlier start kept, or makes it.
func readSecrets(data string) (secrets, error) {
	raw, err := os.ReadFile(filepath.Join(data, "secrets.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return secrets{JWTKeys: auth.NewKey(), Secret: auth.NewKey()}, nil
	}
	if err != nil {
		return secrets{}, fmt.Errorf("read the private installation's secrets: %w", err)
	}
	var s secrets
	if err := json.Unmarshal(raw, &s); err != nil {
		return secrets{}, fmt.Errorf("read the private installation's secrets: %w; --reset begins anew", err)
	}
	return s, nil
}

func writeSecrets(data string, s secrets) error {
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(data, 0o755); err != nil {
		return fmt.Errorf("keep the private installation's secrets: %w", err)
	}
	// Written aside and renamed, so that a crash leaves the old or the new.
	temporary := filepath.Join(data, ".secrets.json")
	if err := os.WriteFile(temporary, raw, 0o600); err != nil {
		return fmt.Errorf("keep the private installation's secrets: %w", err)
	}
	return os.Rename(temporary, filepath.Join(data, "secrets.json"))
}
