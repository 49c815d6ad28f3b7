package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/caarlos0/env/v11"

	"sello/loyalty/auth"
)

// Config is what the environment says. It is read here and nowhere else; every
// variable is listed in .env.example.
type Config struct {
	// DatabaseURL is where PostgreSQL is.
	DatabaseURL string `env:"DATABASE_URL"`
	// DatabasePool is the most connections of a process: two or three a core of the
	// database serve best; requests queue for them.
	DatabasePool int32 `env:"DATABASE_POOL" envDefault:"12"`
	// DatabaseReadURL is a streaming replica for reports; without it they are read
	// where everything is.
	DatabaseReadURL string `env:"DATABASE_READ_URL"`

	// Addr is where HTTP is served; OpsAddr, if set, a listener of its own for
	// /metrics and the health checks.
	Addr    string `env:"ADDR" envDefault:":8080"`
	OpsAddr string `env:"OPS_ADDR"`
	// BaseURL is the address that callers use: issuer of tokens, origin of pages.
	BaseURL string `env:"BASE_URL"`
	// Origins are pages of other hosts that may call with a token.
	Origins []string `env:"ALLOWED_ORIGINS"`
	// TrustedProxies are networks whose X-Forwarded-For is believed.
	TrustedProxies []string `env:"TRUSTED_PROXIES"`
	// APIDomain is the domain below which the first label names the company
	// (spec/pretii.md 2).
	APIDomain string `env:"API_DOMAIN"`
	// RateLimit is the requests a minute of one credential, or of one address
	// without a credential; a negative number is no limit.
	RateLimit int `env:"RATE_LIMIT" envDefault:"36000"`
	// GraphiQL serves the explorer.
	GraphiQL bool `env:"GRAPHIQL" envDefault:"false"`

	// JWTKeys are kid:seed pairs; the first signs, all verify.
	JWTKeys string `env:"JWT_KEYS"`
	// Secret is the key of staff password fingerprints, and of the key that
	// webhooks' signing secrets are encrypted under.
	Secret string `env:"SECRET"`

	SMTP struct {
		Host     string `env:"HOST"`
		Port     int    `env:"PORT" envDefault:"587"`
		Username string `env:"USERNAME"`
		Password string `env:"PASSWORD"`
		From     string `env:"FROM"`
		// TLS is mandatory, opportunistic or none.
		TLS string `env:"TLS" envDefault:"mandatory"`
	} `envPrefix:"SMTP_"`

	SMS struct {
		// URL takes messages to phones, one a POST, signed with Secret.
		URL    string `env:"URL"`
		Secret string `env:"SECRET"`
	} `envPrefix:"SMS_"`

	// GCPercent and MemoryLimit are Go's own variables; they are read here to know
	// whether they are set (see tuneMemory).
	GCPercent   string `env:"GOGC"`
	MemoryLimit string `env:"GOMEMLIMIT"`
	// WebhookAllowPrivate lets webhooks go to http and to private addresses.
	WebhookAllowPrivate bool `env:"WEBHOOK_ALLOW_PRIVATE" envDefault:"false"`

	LogLevel slog.Level `env:"LOG_LEVEL" envDefault:"info"`

	// JobTimeout and JobRescueAfter: a job that ran out of the one is stopped, one
	// whose worker was killed runs again after the other.
	JobTimeout     time.Duration `env:"JOB_TIMEOUT" envDefault:"45s"`
	JobRescueAfter time.Duration `env:"JOB_RESCUE_AFTER" envDefault:"60s"`

	// PostgresBin names the folder of PostgreSQL's programs for `dev` and tests.
	PostgresBin string `env:"SELLO_PG_BIN"`
}

func readConfig() (Config, error) {
	config, err := env.ParseAs[Config]()
	if err != nil {
		return Config{}, fmt.Errorf("read the environment: %w", err)
	}
	return config, nil
}

// check reports all that is missing or wrong for production at once.
func (c Config) check() error {
	var wrong []error
	if c.DatabaseURL == "" {
		wrong = append(wrong, errors.New("DATABASE_URL is required"))
	}
	if c.JWTKeys == "" {
		wrong = append(wrong, errors.New("JWT_KEYS is required: `sello key sign` makes one"))
	} else if _, err := auth.ParseKeys(c.JWTKeys); err != nil {
		wrong = append(wrong, fmt.Errorf("JWT_KEYS: %w", err))
	}
	if len(c.Secret) < 32 {
		wrong = append(wrong, errors.New("SECRET is required: at least 32 characters, the same on every server"))
	}
	if u, err := url.Parse(c.BaseURL); err != nil || !slices.Contains([]string{"http", "https"}, u.Scheme) || u.Host == "" {
		wrong = append(wrong, errors.New("BASE_URL is required: the address that callers use, such as https://loyalty.example.com"))
	}
	if c.JobRescueAfter <= c.JobTimeout {
		wrong = append(wrong, errors.New("JOB_RESCUE_AFTER has to be longer than JOB_TIMEOUT"))
	}
	if c.SMTP.Host != "" && c.SMTP.From == "" {
		wrong = append(wrong, errors.New("SMTP_FROM is required with SMTP_HOST"))
	}
	if _, err := texter(c, nil); err != nil {
		wrong = append(wrong, err)
	}
	if c.DatabasePool < 2 {
		wrong = append(wrong, errors.New("DATABASE_POOL is at least 2"))
	}
	return errors.Join(wrong...)
}

// logTo sends log lines as JSON to standard error.
func (c Config) logTo() *slog.Logger {
	return slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: c.LogLevel}))
}
