package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/loyalty"
)

const (
	// maxEmail is an address's greatest length, in bytes (RFC 5321).
	maxEmail = 254
	// maxName is a name's greatest length, in characters.
	maxName = 200
)

// Operator is a person of a company who signs in to dashboards.
type Operator struct {
	CompanyID uuid.UUID
	ID        uuid.UUID
	Email     string
	Name      string
	Scopes    []Scope
	// DisabledAt is when signing in ended for the operator, nil if it did not.
	DisabledAt *time.Time
	CreatedAt  time.Time
}

// operatorOf leaves the password's hash behind.
func operatorOf(row db.Operator) Operator {
	return Operator{
		CompanyID: row.CompanyID, ID: row.ID, Email: row.Email, Name: row.Name,
		Scopes: scopesOf(row.Scopes), DisabledAt: row.DisabledAt, CreatedAt: row.CreatedAt,
	}
}

// OperatorInput is a new operator.
type OperatorInput struct {
	// Email is stored in lower case and unique in the company.
	Email string
	Name  string
	// Password has 8 to 256 bytes.
	Password string
	Scopes   []Scope
}

// OperatorCreate adds an operator to the company of who. It refuses with REQUIRED,
// INVALID, TOO_LONG, TAKEN and SCOPE_EXCEEDED, and fails with ErrBusy.
func (s *Service) OperatorCreate(ctx context.Context, who Principal, in OperatorInput) (*Operator, error) {
	email, err := requireEmail(in.Email, "email")
	if err != nil {
		return nil, err
	}
	name, err := requireName(in.Name)
	if err != nil {
		return nil, err
	}
	scopes, err := grant(who, in.Scopes)
	if err != nil {
		return nil, err
	}
	hash, err := s.newPassword(ctx, in.Password)
	if err != nil {
		return nil, err
	}
	id, now := newID(), s.now()
	var row db.Operator
	err = s.db.InTx(ctx, func(tx db.Tx) error {
		var err error
		row, err = tx.OperatorCreate(ctx, db.OperatorCreateParams{
			CompanyID: who.CompanyID, ID: id, Email: email, Name: name,
			PasswordHash: hash, Scopes: scopes, Now: now,
		})
		if db.Violates(err, "operator_email_key") {
			return loyalty.Refuse(loyalty.CodeTaken, "email")
		}
		if err != nil {
			return fmt.Errorf("create an operator: %w", err)
		}
		return Audit(ctx, tx.Queries, who, now, "operator_create", targetOperator, id, map[string]any{"scopes": scopes})
	})
	if err != nil {
		return nil, err
	}
	created := operatorOf(row)
	return &created, nil
}

// OperatorDisable ends an operator's sessions and refuses new ones. A second time
// changes nothing. It refuses with NOT_FOUND, and with SCOPE_EXCEEDED where the
// operator may do more than who.
func (s *Service) OperatorDisable(ctx context.Context, who Principal, id uuid.UUID) (*Operator, error) {
	now := s.now()
	return s.changeOperator(ctx, who, id, now, "operator_disable", func(q *db.Queries, row db.Operator) (db.Operator, bool, error) {
		disabled, err := q.OperatorDisable(ctx, db.OperatorDisableParams{CompanyID: who.CompanyID, ID: id, Now: now})
		if errors.Is(err, pgx.ErrNoRows) {
			return row, false, nil
		}
		return disabled, true, err
	})
}

// OperatorPasswordSet gives an operator a new password and ends all sessions that
// the old one started, the caller's own too. It refuses with REQUIRED, INVALID,
// TOO_LONG, NOT_FOUND, and with SCOPE_EXCEEDED where the operator may do more than
// who: a password one has set is a way in. It fails with ErrBusy.
func (s *Service) OperatorPasswordSet(ctx context.Context, who Principal, id uuid.UUID, password string) (*Operator, error) {
	hash, err := s.newPassword(ctx, password)
	if err != nil {
		return nil, err
	}
	now := s.now()
	return s.changeOperator(ctx, who, id, now, "operator_password_set", func(q *db.Queries, _ db.Operator) (db.Operator, bool, error) {
		row, err := q.OperatorPasswordSet(ctx, db.OperatorPasswordSetParams{
			CompanyID: who.CompanyID, ID: id, PasswordHash: hash, Now: now,
		})
		return row, true, err
	})
}

// changeOperator runs change on an operator and, if it changed something, ends the
// operator's sessions and notes the action, all in one transaction.
func (s *Service) changeOperator(
	ctx context.Context, who Principal, id uuid.UUID, now time.Time, action string,
	change func(*db.Queries, db.Operator) (db.Operator, bool, error),
) (*Operator, error) {
	var (
		row   db.Operator
		ended []uuid.UUID
	)
	err := s.db.InTx(ctx, func(tx db.Tx) error {
		var err error
		if row, err = tx.OperatorLock(ctx, who.CompanyID, id); errors.Is(err, pgx.ErrNoRows) {
			return loyalty.Refuse(loyalty.CodeNotFound, "id")
		} else if err != nil {
			return fmt.Errorf("lock an operator: %w", err)
		}
		if scope, more := outranks(row.Scopes, who); more && id != who.Subject {
			return loyalty.Refuse(loyalty.CodeScopeExceeded, "id").With("scope", string(scope))
		}
		var changed bool
		if row, changed, err = change(tx.Queries, row); err != nil {
			return fmt.Errorf("change an operator: %w", err)
		} else if !changed {
			return nil
		}
		if ended, err = tx.OperatorSessionsEnd(ctx, db.OperatorSessionsEndParams{
			CompanyID: who.CompanyID, OperatorID: id, Now: now,
		}); err != nil {
			return fmt.Errorf("end an operator's sessions: %w", err)
		}
		return Audit(ctx, tx.Queries, who, now, action, targetOperator, id, map[string]any{"sessions_ended": len(ended)})
	})
	if err != nil {
		return nil, err
	}
	for _, session := range ended {
		s.sessions.drop(sessionID{who.CompanyID, session})
	}
	changed := operatorOf(row)
	return &changed, nil
}

// OperatorByID is an operator of a company, nil if there is none.
func (s *Service) OperatorByID(ctx context.Context, company, id uuid.UUID) (*Operator, error) {
	row, err := s.db.OperatorByID(ctx, company, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read an operator: %w", err)
	}
	found := operatorOf(row)
	return &found, nil
}

// OperatorList pages through a company's operators, oldest first, at most limit of
// them after the id given, or from the start.
func (s *Service) OperatorList(ctx context.Context, company uuid.UUID, after *uuid.UUID, limit int32) ([]Operator, error) {
	rows, err := s.db.OperatorsPage(ctx, db.OperatorsPageParams{CompanyID: company, After: after, BatchSize: limit})
	if err != nil {
		return nil, fmt.Errorf("list operators: %w", err)
	}
	list := make([]Operator, len(rows))
	for i, row := range rows {
		list[i] = operatorOf(row)
	}
	return list, nil
}

// newPassword hashes a password that is fit to be one.
func (s *Service) newPassword(ctx context.Context, password string) (string, error) {
	switch {
	case password == "":
		return "", loyalty.Refuse(loyalty.CodeRequired, "password")
	case len(password) < MinPassword:
		return "", loyalty.Refuse(loyalty.CodeInvalid, "password")
	case len(password) > MaxPassword:
		return "", loyalty.Refuse(loyalty.CodeTooLong, "password")
	}
	return s.hasher.Hash(ctx, password)
}

// normalEmail is the form in which addresses are stored and compared, "" and false
// if the text is no address.
func normalEmail(text string) (string, bool) {
	email := strings.ToLower(strings.TrimSpace(text))
	at := strings.LastIndexByte(email, '@')
	if at < 1 || at == len(email)-1 || len(email) > maxEmail || !utf8.ValidString(email) {
		return "", false
	}
	if strings.ContainsFunc(email, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }) {
		return "", false
	}
	return email, true
}

func requireEmail(text, field string) (string, error) {
	email, ok := normalEmail(text)
	switch {
	case strings.TrimSpace(text) == "":
		return "", loyalty.Refuse(loyalty.CodeRequired, field)
	case len(text) > 2*maxEmail:
		return "", loyalty.Refuse(loyalty.CodeTooLong, field)
	case !ok:
		return "", loyalty.Refuse(loyalty.CodeInvalid, field)
	}
	return email, nil
}

func requireName(text string) (string, error) {
	name := strings.TrimSpace(text)
	switch {
	case name == "":
		return "", loyalty.Refuse(loyalty.CodeRequired, "name")
	case utf8.RuneCountInString(name) > maxName:
		return "", loyalty.Refuse(loyalty.CodeTooLong, "name")
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return "", loyalty.Refuse(loyalty.CodeInvalid, "name")
	}
	return name, nil
}
