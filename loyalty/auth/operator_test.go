package auth_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"sello/loyalty"
	"sello/loyalty/auth"
)

func operator(change func(*auth.OperatorInput)) auth.OperatorInput {
	in := auth.OperatorInput{
		Email: "ana@acme.test", Name: "Ana", Password: password, Scopes: []auth.Scope{auth.CardsRead},
	}
	if change != nil {
		change(&in)
	}
	return in
}

func TestOperatorCreate(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	platform := auth.System(env.company)
	for _, tt := range []struct {
		name   string
		who    auth.Principal
		change func(*auth.OperatorInput)
		want   loyalty.Error
	}{
		{name: "no address", change: func(in *auth.OperatorInput) { in.Email = " " }, want: loyalty.Error{Code: loyalty.CodeRequired, Field: "email"}},
		{name: "address without @", change: func(in *auth.OperatorInput) { in.Email = "ana" }, want: loyalty.Error{Code: loyalty.CodeInvalid, Field: "email"}},
		{name: "address with a line break", change: func(in *auth.OperatorInput) { in.Email = "a\r\nBcc:x@y.z" }, want: loyalty.Error{Code: loyalty.CodeInvalid, Field: "email"}},
		{name: "address taken, other capitals", change: func(in *auth.OperatorInput) { in.Email = "BOSS@ACME.TEST" }, want: loyalty.Error{Code: loyalty.CodeTaken, Field: "email"}},
		{name: "no name", change: func(in *auth.OperatorInput) { in.Name = "" }, want: loyalty.Error{Code: loyalty.CodeRequired, Field: "name"}},
		{name: "name too long", change: func(in *auth.OperatorInput) { in.Name = strings.Repeat("ñ", 201) }, want: loyalty.Error{Code: loyalty.CodeTooLong, Field: "name"}},
		{name: "name with NUL", change: func(in *auth.OperatorInput) { in.Name = "A\x00" }, want: loyalty.Error{Code: loyalty.CodeInvalid, Field: "name"}},
		{name: "no password", change: func(in *auth.OperatorInput) { in.Password = "" }, want: loyalty.Error{Code: loyalty.CodeRequired, Field: "password"}},
		{name: "password too short", change: func(in *auth.OperatorInput) { in.Password = "1234567" }, want: loyalty.Error{Code: loyalty.CodeInvalid, Field: "password"}},
		{name: "password too long", change: func(in *auth.OperatorInput) { in.Password = strings.Repeat("x", 257) }, want: loyalty.Error{Code: loyalty.CodeTooLong, Field: "password"}},
		{name: "no scopes", change: func(in *auth.OperatorInput) { in.Scopes = nil }, want: loyalty.Error{Code: loyalty.CodeRequired, Field: "scopes"}},
		{name: "unknown scope", change: func(in *auth.OperatorInput) { in.Scopes = []auth.Scope{"cards:*"} }, want: loyalty.Error{Code: loyalty.CodeInvalid, Field: "scopes"}},
		{name: "platform from a company", change: func(in *auth.OperatorInput) { in.Scopes = []auth.Scope{auth.Platform} },
			want: loyalty.Error{Code: loyalty.CodeScopeExceeded, Field: "scopes", Params: map[string]string{"scope": "platform"}}},
		{name: "scope that who lacks", who: auth.Principal{CompanyID: env.company, Scopes: []auth.Scope{auth.CardsRead}},
			change: func(in *auth.OperatorInput) { in.Scopes = []auth.Scope{auth.CardsRead, auth.CardsWrite} },
			want:   loyalty.Error{Code: loyalty.CodeScopeExceeded, Field: "scopes", Params: map[string]string{"scope": "cards:write"}}},
		{name: "platform from the system", who: platform, change: func(in *auth.OperatorInput) { in.Email = "ops@acme.test"; in.Scopes = []auth.Scope{auth.Platform} }},
		{name: "same scope twice", change: func(in *auth.OperatorInput) { in.Scopes = []auth.Scope{auth.CardsRead, auth.CardsRead} }},
	} {
		who := tt.who
		if who.CompanyID == uuid.Nil {
			who = env.who
		}
		got, err := env.OperatorCreate(t.Context(), who, operator(tt.change))
		if tt.want.Code == "" {
			if err != nil || len(got.Scopes) != 1 {
				t.Errorf("%s: got %+v, error %v", tt.name, got, err)
			}
			continue
		}
		if refusal, _ := errors.AsType[*loyalty.Error](err); refusal == nil || !cmp.Equal(*refusal, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, &tt.want)
		}
	}
	if n := env.audited(t, "operator_create"); n != 3 { // boss, ops and ana; none of the refused
		t.Errorf("%d audit entries, want 3", n)
	}
}

func TestOperatorDisable(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	elsewhere := env.server(t)
	session := env.signIn(t)
	if _, err := elsewhere.Authenticate(t.Context(), session.AccessToken); err != nil {
		t.Fatal(err)
	}
	system := auth.System(env.company)
	for range 2 {
		got, err := env.OperatorDisable(t.Context(), system, env.boss.ID)
		if err != nil || got.DisabledAt == nil || !got.DisabledAt.Equal(noon) {
			t.Fatalf("OperatorDisable: got %+v, error %v; want disabled since %v", got, err, noon)
		}
		env.clock.pass(5 * time.Second)
	}

	for name, s := range map[string]*auth.Service{"here": env.Service, "elsewhere": elsewhere} {
		if _, err := s.Authenticate(t.Context(), session.AccessToken); !errors.Is(err, auth.ErrUnauthenticated) {
			t.Errorf("%s: got %v, want ErrUnauthenticated", name, err)
		}
	}
	if _, err := env.Refresh(t.Context(), session.RefreshToken); loyalty.CodeOf(err) != loyalty.CodeSessionEnded {
		t.Errorf("Refresh: got %v, want SESSION_ENDED", err)
	}
	if _, err := env.SignIn(t.Context(), env.credentials()); loyalty.CodeOf(err) != loyalty.CodeSignInFailed {
		t.Errorf("SignIn: got %v, want SIGN_IN_FAILED", err)
	}
	if n := env.audited(t, "operator_disable"); n != 1 {
		t.Errorf("%d audit entries, want 1", n)
	}
}

func TestOperatorPasswordSet(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	session := env.signIn(t)
	if _, err := env.Authenticate(t.Context(), session.AccessToken); err != nil {
		t.Fatal(err)
	}
	if _, err := env.OperatorPasswordSet(t.Context(), env.who, env.boss.ID, "battery staple"); err != nil {
		t.Fatal(err)
	}
	if _, err := env.Authenticate(t.Context(), session.AccessToken); !errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("a session of the old password: got %v, want ErrUnauthenticated", err)
	}
	if _, err := env.SignIn(t.Context(), env.credentials()); loyalty.CodeOf(err) != loyalty.CodeSignInFailed {
		t.Errorf("the old password: got %v, want SIGN_IN_FAILED", err)
	}
	in := env.credentials()
	in.Password = "battery staple"
	if _, err := env.SignIn(t.Context(), in); err != nil {
		t.Errorf("the new password: got %v", err)
	}
	if env.audited(t, "operator_password_set") != 1 {
		t.Error("no audit entry")
	}
}

// A session that a sign-in starts while the password changes must not outlive it:
// the sign-in waits for the change, and then its password is the old one.
func TestSignInWaitsForANewPassword(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	tx, err := env.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := tx.Exec(t.Context(), `UPDATE operator SET password_hash = 'changed' WHERE company_id = $1`, env.company); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	answer := make(chan error, 1)
	go func() {
		_, err := env.SignIn(ctx, env.credentials())
		answer <- err
	}()
	for env.count(t, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == 0 {
		select {
		case err := <-answer:
			t.Fatalf("SignIn did not wait for the change: got %v", err)
		case <-ctx.Done():
			t.Fatal("SignIn neither waits nor answers")
		default:
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}

	if err := <-answer; loyalty.CodeOf(err) != loyalty.CodeSignInFailed {
		t.Errorf("SignIn with the password of before: got %v, want SIGN_IN_FAILED", err)
	}
	if n := env.count(t, `SELECT count(*) FROM operator_session WHERE company_id = $1`, env.company); n != 0 {
		t.Errorf("%d sessions of the old password were started", n)
	}
}

// Whoever disables an operator by hand, in the database, is obeyed as well.
func TestDisabledInTheDatabase(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	session := env.signIn(t)
	if _, err := env.pool.Exec(t.Context(), `UPDATE operator SET disabled_at = $2 WHERE company_id = $1`, env.company, noon); err != nil {
		t.Fatal(err)
	}
	if _, err := env.Authenticate(t.Context(), session.AccessToken); !errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("Authenticate: got %v, want ErrUnauthenticated", err)
	}
	if _, err := env.Refresh(t.Context(), session.RefreshToken); loyalty.CodeOf(err) != loyalty.CodeSessionEnded {
		t.Errorf("Refresh: got %v, want SESSION_ENDED", err)
	}
}

func TestOperatorChangesStayInBounds(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	otherCompany := uuid.New()
	env.addCompany(t, otherCompany, "other")
	limited, err := env.OperatorCreate(t.Context(), env.who, operator(nil))
	if err != nil {
		t.Fatal(err)
	}
	clerk := auth.Principal{CompanyID: env.company, Subject: limited.ID, Kind: auth.KindOperator, Scopes: limited.Scopes}
	for _, tt := range []struct {
		name string
		who  auth.Principal
		id   uuid.UUID
		want loyalty.Code
	}{
		{"unknown", env.who, uuid.New(), loyalty.CodeNotFound},
		{"of another company", auth.System(otherCompany), env.boss.ID, loyalty.CodeNotFound},
		{"may do more", clerk, env.boss.ID, loyalty.CodeScopeExceeded},
	} {
		if _, err := env.OperatorPasswordSet(t.Context(), tt.who, tt.id, "battery staple"); loyalty.CodeOf(err) != tt.want {
			t.Errorf("OperatorPasswordSet, %s: got %v, want %s", tt.name, err, tt.want)
		}
		if _, err := env.OperatorDisable(t.Context(), tt.who, tt.id); loyalty.CodeOf(err) != tt.want {
			t.Errorf("OperatorDisable, %s: got %v, want %s", tt.name, err, tt.want)
		}
	}
	env.signIn(t) // nothing happened to the boss
	if _, err := env.OperatorPasswordSet(t.Context(), clerk, clerk.Subject, "battery staple"); err != nil {
		t.Errorf("one's own password: got %v", err)
	}
}

func TestOperatorList(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	second, err := env.OperatorCreate(t.Context(), env.who, operator(nil))
	if err != nil {
		t.Fatal(err)
	}
	first, err := env.OperatorList(t.Context(), env.company, nil, 1)
	if err != nil || len(first) != 1 || first[0].ID != env.boss.ID {
		t.Fatalf("first page: got %+v, error %v", first, err)
	}
	rest, err := env.OperatorList(t.Context(), env.company, &first[0].ID, 10)
	if diff := cmp.Diff([]auth.Operator{*second}, rest); diff != "" || err != nil {
		t.Errorf("second page, error %v (-want +got):\n%s", err, diff)
	}
	if got, err := env.OperatorByID(t.Context(), uuid.New(), second.ID); got != nil || err != nil {
		t.Errorf("OperatorByID in another company: got %+v, error %v; want nil", got, err)
	}
	if got, err := env.OperatorByID(t.Context(), env.company, second.ID); err != nil || got.Email != "ana@acme.test" {
		t.Errorf("OperatorByID: got %+v, error %v", got, err)
	}
}
