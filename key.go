package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sello/loyalty/auth"
	"sello/loyalty/company"
)

// withCompany runs fn on the database of the environment, as the program itself
// acting for a company.
func withCompany(ctx context.Context, code string, fn func(*app, auth.Principal) error) error {
	a, err := administration(ctx)
	if err != nil {
		return err
	}
	defer a.close()
	row, err := a.store.CompanyByCode(ctx, code)
	if errors.Is(err, pgx.ErrNoRows) {
		return exitError{exitUsage, fmt.Errorf("there is no company %q", code)}
	}
	if err != nil {
		return fmt.Errorf("read the company: %w", err)
	}
	return fn(a, auth.System(row.ID))
}

// administration is the domain for a command that changes the database and
// answers nobody: it needs DATABASE_URL alone, and keys of its own that sign and
// seal nothing.
func administration(ctx context.Context) (*app, error) {
	config, err := readConfig()
	if err != nil {
		return nil, exitError{exitUsage, err}
	}
	if config.DatabaseURL == "" {
		return nil, exitError{exitUsage, errors.New("DATABASE_URL is required")}
	}
	config.JWTKeys, config.BaseURL = auth.NewKey(), "http://localhost"
	config.Secret = cmp.Or(config.Secret, auth.NewKey())
	a, err := newApp(ctx, config, config.logTo(), role{})
	if err != nil {
		return nil, exitError{exitUnavailable, err}
	}
	return a, nil
}

type companyCommand struct {
	Create companyCreateCommand `cmd:"" help:"Set up a company with its first operator."`
}

type companyCreateCommand struct {
	Code     string `arg:"" help:"Short name used at sign-in: lower-case letters, digits and -."`
	Name     string `required:"" help:"Name as people read it."`
	TimeZone string `required:"" help:"IANA time zone, such as America/Mexico_City."`
	Language string `default:"es" help:"en, es, pt or vi."`
	Currency string `required:"" help:"ISO 4217 code."`
	Prefix   string `required:"" help:"Calling code, such as +52."`
	Operator string `required:"" help:"E-mail address of the first operator. The password is read from standard input."`
	Platform bool   `help:"The operator also sees the queues of all companies."`
}

func (c companyCreateCommand) Run(ctx context.Context) error {
	var password string
	if _, err := fmt.Fscanln(os.Stdin, &password); err != nil {
		return exitError{exitUsage, errors.New("give the operator's password on standard input")}
	}
	a, err := administration(ctx)
	if err != nil {
		return err
	}
	defer a.close()
	created, err := a.graph.Companies.Create(ctx, company.NewCompany{
		Code: c.Code, Name: c.Name, TimeZone: c.TimeZone, Language: c.Language, Currency: c.Currency, PhonePrefix: c.Prefix,
	})
	if err != nil {
		return err
	}
	scopes := auth.CompanyScopes()
	if c.Platform {
		scopes = auth.Scopes()
	}
	_, err = a.auth.OperatorCreate(ctx, auth.System(created.ID), auth.OperatorInput{
		Email: c.Operator, Name: c.Operator, Password: password, Scopes: scopes,
	})
	if err != nil {
		return err
	}
	fmt.Println(created.ID)
	return nil
}

type keyCommand struct {
	Create keyCreateCommand `cmd:"" help:"Make an API key; it is shown this once."`
	List   keyListCommand   `cmd:"" help:"List a company's API keys."`
	Revoke keyRevokeCommand `cmd:"" help:"End an API key at once."`
	Sign   keySignCommand   `cmd:"" help:"Make a signing key for JWT_KEYS."`
}

type keyCreateCommand struct {
	Company string        `required:"" help:"The company's code."`
	Kind    string        `required:"" enum:"server,wallet,pretii,antcrm" help:"Whom the key is for: server, wallet, pretii or antcrm."`
	Name    string        `required:"" help:"Name, to tell keys apart."`
	Scope   []string      `help:"What a server key may do; all of its company if left out."`
	Email   string        `help:"Where results of what the key starts are sent."`
	Expires time.Duration `help:"How long the key works; for ever if left out."`
}

func (c keyCreateCommand) Run(ctx context.Context) error {
	return withCompany(ctx, c.Company, func(a *app, who auth.Principal) error {
		in := auth.KeyInput{Kind: auth.KeyKind(c.Kind), Name: c.Name, ContactEmail: c.Email}
		for _, s := range c.Scope {
			in.Scopes = append(in.Scopes, auth.Scope(s))
		}
		if in.Kind == auth.KeyServer && len(in.Scopes) == 0 {
			in.Scopes = auth.CompanyScopes()
		}
		if c.Expires > 0 {
			in.ExpiresAt = new(time.Now().Add(c.Expires))
		}
		key, secret, err := a.auth.KeyCreate(ctx, who, in)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "key %s made; it is shown this once\n", key.ID)
		fmt.Println(secret)
		return nil
	})
}

type keyListCommand struct {
	Company string `required:"" help:"The company's code."`
	JSON    bool   `help:"Print JSON, one key a line."`
}

func (c keyListCommand) Run(ctx context.Context) error {
	return withCompany(ctx, c.Company, func(a *app, who auth.Principal) error {
		out := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
		defer out.Flush()
		if !c.JSON {
			fmt.Fprintln(out, "ID\tKIND\tENDS IN\tNAME\tMADE\tLAST USED\tREVOKED")
		}
		var after *uuid.UUID
		for {
			keys, err := a.auth.KeyList(ctx, who.CompanyID, after, 100)
			if err != nil || len(keys) == 0 {
				return err
			}
			for _, k := range keys {
				if c.JSON {
					if err := json.NewEncoder(os.Stdout).Encode(k); err != nil {
						return err
					}
					continue
				}
				fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Kind, k.Hint, k.Name,
					k.CreatedAt.Format(time.DateOnly), day(k.LastUsedAt), day(k.RevokedAt))
			}
			after = &keys[len(keys)-1].ID
		}
	})
}

func day(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Format(time.DateOnly)
}

type keyRevokeCommand struct {
	Company string `required:"" help:"The company's code."`
	ID      string `arg:"" help:"The key's id, as key list shows it."`
}

func (c keyRevokeCommand) Run(ctx context.Context) error {
	id, err := uuid.Parse(c.ID)
	if err != nil {
		return exitError{exitUsage, errors.New("the key's id is a UUID, as `sello key list` shows it")}
	}
	return withCompany(ctx, c.Company, func(a *app, who auth.Principal) error {
		_, err := a.auth.KeyRevoke(ctx, who, id)
		return err
	})
}

type keySignCommand struct{}

func (keySignCommand) Run() error {
	fmt.Println(auth.NewKey())
	return nil
}
