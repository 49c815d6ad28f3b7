package company

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// Host is a host name that stands for a company beside its code below the API's domain
// (spec/pretii.md 2).
type Host struct{ db.CompanyHost }

// Name is the whole host name, in lower case.
func (h *Host) Name() string { return h.CompanyHost.Host }

// MaxHosts is the most names that a company has.
const MaxHosts = 20

var hostPattern = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$`)

// hostOf is a host name as it is compared: without its port and the dot at its end, in
// lower case.
func hostOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(strings.TrimSpace(host), "."))
}

// label is the first label of a host below the API's domain; "" for any other host.
func (s *Service) label(host string) string {
	domain := hostOf(s.APIDomain)
	if domain == "" {
		return ""
	}
	below, ok := strings.CutSuffix(host, "."+domain)
	if !ok {
		return ""
	}
	first, _, _ := strings.Cut(below, ".")
	return first
}

// ByHost is the company that a request's host stands for: below the API's domain the one
// whose code is the first label, else the one that has the name. Zero and known is a host
// that stands for nobody, where the credential alone decides; not known is one below the
// API's domain that nobody has.
func (s *Service) ByHost(ctx context.Context, host string) (company uuid.UUID, known bool, err error) {
	host = hostOf(host)
	label := s.label(host)
	if !loyalty.Storable(host) {
		return uuid.Nil, label == "", nil
	}
	var code *string
	if label != "" {
		code = &label
	}
	company, err = s.DB.CompanyByHost(ctx, code, host)
	switch {
	case err == nil:
		return company, true, nil
	case errors.Is(err, pgx.ErrNoRows):
		return uuid.Nil, label == "", nil
	default:
		return uuid.Nil, false, fmt.Errorf("find the company of a host: %w", err)
	}
}

// HostAdd gives the caller's company a host name; one that it has stays as it is. Names
// below the API's domain are free for all. That any other is the company's own cannot be
// seen from here, and it would keep everybody else's credentials out there: who gives one
// away has the scope of those who run the installation. It refuses with INVALID (no host
// name, an address, the API's domain itself), SCOPE_EXCEEDED, TAKEN (it is another
// company's, or stands for one by its code) and STATE_CONFLICT (MaxHosts names already).
func (s *Service) HostAdd(ctx context.Context, who auth.Principal, host string) (*Host, error) {
	host = hostOf(host)
	_, notAddress := netip.ParseAddr(host)
	if len(host) > 253 || notAddress == nil || !hostPattern.MatchString(host) || host == hostOf(s.APIDomain) {
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "host")
	}
	label := s.label(host)
	if label == "" && !who.Has(auth.Platform) {
		return nil, loyalty.Refuse(loyalty.CodeScopeExceeded, "host").With("scope", string(auth.Platform))
	}
	var code *string
	if label != "" {
		code = &label
	}
	var row db.CompanyHost
	err := s.DB.InTx(ctx, func(tx db.Tx) error {
		if err := tx.CompanyHostLock(ctx, host); err != nil {
			return err
		}
		owner, err := tx.CompanyByHost(ctx, code, host)
		if err == nil && owner != who.CompanyID {
			return loyalty.Refuse(loyalty.CodeTaken, "host")
		}
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		has, err := tx.CompanyHosts(ctx, who.CompanyID)
		if err != nil {
			return err
		}
		if len(has) >= MaxHosts && !slices.ContainsFunc(has, func(h db.CompanyHost) bool { return h.Host == host }) {
			return loyalty.Refuse(loyalty.CodeStateConflict, "host")
		}
		if row, err = tx.CompanyHostPut(ctx, db.CompanyHostPutParams{CompanyID: who.CompanyID, Host: host, Now: s.Now()}); err != nil {
			return err
		}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "company_host_add", "company", who.CompanyID, map[string]any{"host": host})
	})
	switch {
	case err == nil:
		return &Host{row}, nil
	case loyalty.CodeOf(err) != "":
		return nil, err
	default:
		return nil, fmt.Errorf("give a company a host name: %w", err)
	}
}

// HostRemove takes a host name from the caller's company. It refuses with NOT_FOUND.
func (s *Service) HostRemove(ctx context.Context, who auth.Principal, host string) (*Host, error) {
	host = hostOf(host)
	if !loyalty.Storable(host) {
		return nil, loyalty.Refuse(loyalty.CodeNotFound, "host")
	}
	var row db.CompanyHost
	err := s.DB.InTx(ctx, func(tx db.Tx) (err error) {
		if row, err = tx.CompanyHostDelete(ctx, who.CompanyID, host); err != nil {
			return err
		}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "company_host_remove", "company", who.CompanyID, map[string]any{"host": host})
	})
	switch {
	case err == nil:
		return &Host{row}, nil
	case errors.Is(err, pgx.ErrNoRows):
		return nil, loyalty.Refuse(loyalty.CodeNotFound, "host")
	default:
		return nil, fmt.Errorf("take a host name from a company: %w", err)
	}
}

// Hosts are a company's host names, in their order.
func (s *Service) Hosts(ctx context.Context, company uuid.UUID) ([]*Host, error) {
	rows, err := s.DB.CompanyHosts(ctx, company)
	if err != nil {
		return nil, fmt.Errorf("list a company's host names: %w", err)
	}
	all := make([]*Host, len(rows))
	for i, row := range rows {
		all[i] = &Host{row}
	}
	return all, nil
}
