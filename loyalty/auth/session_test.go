package auth_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"sello/loyalty"
	"sello/loyalty/auth"
)

func TestSignIn(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	session := env.signIn(t)

	who, err := env.Authenticate(t.Context(), session.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	want := env.who
	want.Email, want.SessionID, want.Scopes = "boss@acme.test", who.SessionID, env.boss.Scopes
	if diff := cmp.Diff(want, who); diff != "" {
		t.Errorf("Authenticate (-want +got):\n%s", diff)
	}
	if session.ExpiresAt != noon.Add(15*time.Minute) || session.RefreshExpiresAt != noon.Add(30*24*time.Hour) {
		t.Errorf("SignIn: expires at %v and %v", session.ExpiresAt, session.RefreshExpiresAt)
	}
	if diff := cmp.Diff(env.boss, session.Operator); diff != "" {
		t.Errorf("SignIn: operator (-want +got):\n%s", diff)
	}
	if env.audited(t, "session_start") != 1 {
		t.Error("SignIn: no audit entry")
	}
}

func TestSignInIsForgivingWhereItMay(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	in := env.credentials()
	in.Company, in.Email = " ACME ", " BOSS@acme.TEST "
	if _, err := env.SignIn(t.Context(), in); err != nil {
		t.Errorf("SignIn with other capitals and blanks: got %v", err)
	}
}

func TestSignInRefusesAllTheSameWay(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	env.addCompany(t, uuid.New(), "other")
	disabled, err := env.OperatorCreate(t.Context(), env.who, auth.OperatorInput{
		Email: "gone@acme.test", Name: "Gone", Password: password, Scopes: []auth.Scope{auth.CardsRead},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := env.OperatorDisable(t.Context(), env.who, disabled.ID); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, company, email, password, reason string
	}{
		{"unknown company", "nowhere", "boss@acme.test", password, auth.ReasonUnknownOperator},
		{"company of another", "other", "boss@acme.test", password, auth.ReasonUnknownOperator},
		{"no company", "", "boss@acme.test", password, auth.ReasonUnknownOperator},
		{"company with NUL", "ac\x00me", "boss@acme.test", password, auth.ReasonUnknownOperator},
		{"unknown address", "acme", "nobody@acme.test", password, auth.ReasonUnknownOperator},
		{"address with NUL", "acme", "boss@acme.test\x00", password, auth.ReasonUnknownOperator},
		{"address not UTF-8", "acme", "\xff@acme.test", password, auth.ReasonUnknownOperator},
		{"wildcard address", "acme", "%@acme.test", password, auth.ReasonUnknownOperator},
		{"wrong password", "acme", "boss@acme.test", "wrong horse", auth.ReasonWrongPassword},
		{"no password", "acme", "boss@acme.test", "", auth.ReasonWrongPassword},
		{"1 MB of password", "acme", "boss@acme.test", strings.Repeat("x", 1<<20), auth.ReasonWrongPassword},
		{"disabled", "acme", "gone@acme.test", password, auth.ReasonDisabled},
		{"disabled, wrong password", "acme", "gone@acme.test", "wrong horse", auth.ReasonWrongPassword},
	} {
		before := env.failures.of(tt.reason)
		_, err := env.SignIn(t.Context(), auth.Credentials{Company: tt.company, Email: tt.email, Password: tt.password})
		want := &loyalty.Error{Code: loyalty.CodeSignInFailed}
		if got, _ := errors.AsType[*loyalty.Error](err); !cmp.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, want)
		}
		if env.failures.of(tt.reason) != before+1 {
			t.Errorf("%s: not counted as %s", tt.name, tt.reason)
		}
	}
}

func TestSignInWhileBusy(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	busy := env.server(t, func(c *auth.Config) {
		c.Hasher = auth.NewHasher(cheap, 0)
		c.Limits = auth.Limits{Account: 2}
	})
	for range 5 { // being busy says nothing about the password: it must not lock the account
		if _, err := busy.SignIn(t.Context(), env.credentials()); !errors.Is(err, auth.ErrBusy) {
			t.Fatalf("SignIn without a free slot: got %v, want ErrBusy", err)
		}
	}
}

func TestSignInHashesAnew(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	dearer := cheap
	dearer.Time = 2
	today := env.server(t, func(c *auth.Config) { c.Hasher = auth.NewHasher(dearer, 8) })

	for range 2 {
		if _, err := today.SignIn(t.Context(), env.credentials()); err != nil {
			t.Fatal(err)
		}
		if n := env.count(t, `SELECT count(*) FROM operator WHERE company_id = $1 AND password_hash LIKE '%,t=2,%'`, env.company); n != 1 {
			t.Errorf("%d passwords are hashed at today's costs, want 1", n)
		}
	}
}

func TestThrottleOfAnAccount(t *testing.T) {
	t.Parallel()

	env := newEnv(t, func(c *auth.Config) { c.Limits = auth.Limits{Account: 3, Address: 1000, Window: 10 * time.Minute} })
	live := env.signIn(t)
	wrong := env.credentials()
	wrong.Password = "wrong horse"
	for i := range 3 {
		wrong.Address = fmt.Sprintf("192.0.2.%d", i+10)
		if _, err := env.SignIn(t.Context(), wrong); loyalty.CodeOf(err) != loyalty.CodeSignInFailed {
			t.Fatalf("attempt %d: got %v", i, err)
		}
		env.clock.pass(time.Minute)
	}

	_, err := env.SignIn(t.Context(), env.credentials())
	if e, ok := errors.AsType[*auth.ThrottledError](err); !ok || e.RetryAfter != 7*time.Minute || !errors.Is(err, auth.ErrThrottled) {
		t.Fatalf("SignIn after three failures: got %v, want to wait 7m", err)
	}
	if env.failures.of(auth.ReasonThrottled) != 1 {
		t.Error("the refusal is not counted")
	}
	if _, err := env.Authenticate(t.Context(), live.AccessToken); err != nil {
		t.Errorf("the owner's session: got %v", err)
	}
	if _, err := env.Refresh(t.Context(), live.RefreshToken); err != nil {
		t.Errorf("the owner's refresh: got %v", err)
	}
	other := env.credentials()
	other.Email = "other@acme.test"
	if _, err := env.SignIn(t.Context(), other); loyalty.CodeOf(err) != loyalty.CodeSignInFailed {
		t.Errorf("another account: got %v, want to be let through", err)
	}

	env.clock.pass(7 * time.Minute)
	env.signIn(t)
	for range 3 { // a success forgets the failures before it
		if _, err := env.SignIn(t.Context(), wrong); loyalty.CodeOf(err) != loyalty.CodeSignInFailed {
			t.Errorf("after a success: got %v, want three more attempts", err)
		}
	}
}

func TestThrottleOfAnAddress(t *testing.T) {
	t.Parallel()

	env := newEnv(t, func(c *auth.Config) { c.Limits = auth.Limits{Address: 3} })
	for i := range 3 {
		_, err := env.SignIn(t.Context(), auth.Credentials{
			Company: "acme", Email: fmt.Sprintf("guess%d@acme.test", i), Password: password,
			Address: fmt.Sprintf("2001:db8:1:2::%d", i), // one /64
		})
		if loyalty.CodeOf(err) != loyalty.CodeSignInFailed {
			t.Fatalf("attempt %d: got %v", i, err)
		}
	}
	for address, want := range map[string]bool{
		"2001:db8:1:2:ffff::1": true, "2001:db8:1:3::1": false, "192.0.2.1": false, "": false,
	} {
		in := env.credentials()
		in.Address = address
		if _, err := env.SignIn(t.Context(), in); errors.Is(err, auth.ErrThrottled) != want {
			t.Errorf("from %q: got %v, want throttled %v", address, err, want)
		}
	}
}

// Guesses at the same moment must not all pass before the first has failed, and
// 1,000 of them from 100 addresses stay within the account's ten (A-AUTH).
func TestThrottleHoldsAgainstACrowd(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			for range 10 {
				_, _ = env.SignIn(context.WithoutCancel(t.Context()), auth.Credentials{
					Company: env.code, Email: env.boss.Email, Password: "wrong horse", Address: fmt.Sprintf("198.51.100.%d", i),
				})
			}
		})
	}
	wg.Wait()

	if n := env.failures.of(auth.ReasonWrongPassword); n > 10 {
		t.Errorf("%d passwords were tried, want at most 10", n)
	}
	if n := env.failures.of(auth.ReasonWrongPassword) + env.failures.of(auth.ReasonThrottled) + env.failures.of(auth.ReasonBusy); n != 1000 {
		t.Errorf("%d attempts were counted, want 1000", n)
	}
}

func TestRefresh(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	session := env.signIn(t)
	for range 3 {
		env.clock.pass(29 * 24 * time.Hour) // thirty days count from the last use
		next, err := env.Refresh(t.Context(), session.RefreshToken)
		if err != nil {
			t.Fatal(err)
		}
		if next.RefreshToken == session.RefreshToken {
			t.Error("Refresh: the token did not change")
		}
		if _, err := env.Authenticate(t.Context(), next.AccessToken); err != nil {
			t.Errorf("Authenticate after Refresh: got %v", err)
		}
		session = next
	}
	env.clock.pass(30 * 24 * time.Hour)
	if _, err := env.Refresh(t.Context(), session.RefreshToken); loyalty.CodeOf(err) != loyalty.CodeSessionEnded {
		t.Errorf("Refresh after thirty days: got %v, want SESSION_ENDED", err)
	}
}

func TestRefreshStoresNoToken(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	raw, err := base64.RawURLEncoding.DecodeString(env.signIn(t).RefreshToken)
	if err != nil || len(raw) != 64 {
		t.Fatalf("a refresh token decodes to %d bytes, error %v; want 64", len(raw), err)
	}
	n := env.count(t, `SELECT count(*) FROM operator_session
		WHERE company_id = $1 AND id = $2 AND secret_hash = sha256($3)`, raw[:16], raw[16:32], raw[32:])
	if n != 1 {
		t.Error("the session is not stored under the SHA-256 of its secret")
	}
}

func TestRefreshReuseEndsTheSession(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		name      string
		rotations int // between the token's use and its reuse
	}{{"the one before", 1}, {"an older one", 3}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t)
			first := env.signIn(t)
			last := first
			for range tt.rotations {
				var err error
				if last, err = env.Refresh(t.Context(), last.RefreshToken); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := env.Authenticate(t.Context(), last.AccessToken); err != nil {
				t.Fatal(err)
			}

			if _, err := env.Refresh(t.Context(), first.RefreshToken); loyalty.CodeOf(err) != loyalty.CodeSessionEnded {
				t.Errorf("reuse: got %v, want SESSION_ENDED", err)
			}

			if _, err := env.Refresh(t.Context(), last.RefreshToken); loyalty.CodeOf(err) != loyalty.CodeSessionEnded {
				t.Errorf("the current token after a reuse: got %v, want SESSION_ENDED", err)
			}
			if _, err := env.Authenticate(t.Context(), last.AccessToken); !errors.Is(err, auth.ErrUnauthenticated) {
				t.Errorf("the access token after a reuse: got %v, want ErrUnauthenticated", err)
			}
			if env.failures.of(auth.ReasonRefreshReused) != 1 || env.audited(t, "session_reuse") != 1 {
				t.Error("the reuse is not counted and noted once")
			}
			env.signIn(t)
		})
	}
}

func TestRefreshOnceForSixteenAtOnce(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	session := env.signIn(t)
	var (
		wg  sync.WaitGroup
		mu  sync.Mutex
		won int
	)
	for range 16 {
		server := env.server(t)
		wg.Go(func() {
			_, err := server.Refresh(t.Context(), session.RefreshToken)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case loyalty.CodeOf(err) != loyalty.CodeSessionEnded:
				t.Errorf("Refresh: got %v, want SESSION_ENDED", err)
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d of 16 refreshes with one token succeeded, want 1", won)
	}
}

func TestRefreshRefuses(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	token := env.signIn(t).RefreshToken
	raw, _ := base64.RawURLEncoding.DecodeString(token)
	other := uuid.New()
	foreign := base64.RawURLEncoding.EncodeToString(append(other[:], raw[16:]...))
	for name, bad := range map[string]string{
		"empty": "", "cut off": token[:85], "padded": token + "==", "no base64": strings.Repeat("!", 86),
		"1 MB": strings.Repeat("A", 1<<20), "unknown": strings.Repeat("A", 86), "other company": foreign,
	} {
		if _, err := env.Refresh(t.Context(), bad); loyalty.CodeOf(err) != loyalty.CodeSessionEnded {
			t.Errorf("%s: got %v, want SESSION_ENDED", name, err)
		}
	}
	if _, err := env.Refresh(t.Context(), token); err != nil {
		t.Errorf("the good token after the bad ones: got %v", err)
	}
}

func TestEnd(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	elsewhere := env.server(t)
	session, second := env.signIn(t), env.signIn(t)
	who, err := env.Authenticate(t.Context(), session.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := elsewhere.Authenticate(t.Context(), session.AccessToken); err != nil {
		t.Fatal(err)
	}

	for range 2 { // a second time changes nothing
		if err := env.End(t.Context(), who); err != nil {
			t.Fatal(err)
		}
	}

	if _, err := env.Authenticate(t.Context(), session.AccessToken); !errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("here: got %v, want ErrUnauthenticated", err)
	}
	env.clock.pass(5 * time.Second)
	if _, err := elsewhere.Authenticate(t.Context(), session.AccessToken); !errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("on another server five seconds later: got %v, want ErrUnauthenticated", err)
	}
	if _, err := env.Refresh(t.Context(), session.RefreshToken); loyalty.CodeOf(err) != loyalty.CodeSessionEnded {
		t.Errorf("Refresh: got %v, want SESSION_ENDED", err)
	}
	if _, err := env.Authenticate(t.Context(), second.AccessToken); err != nil {
		t.Errorf("the operator's other session: got %v", err)
	}
	if env.audited(t, "session_end") != 1 || env.audited(t, "session_reuse") != 0 {
		t.Error("want one audit entry of the end and none of a reuse")
	}
	if err := env.End(t.Context(), auth.System(env.company)); loyalty.CodeOf(err) != loyalty.CodeStateConflict {
		t.Errorf("End without a session: got %v, want STATE_CONFLICT", err)
	}
}

func TestSessionsPrune(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	for range 3 {
		env.signIn(t)
	}
	env.clock.pass(31 * 24 * time.Hour)
	live := env.signIn(t)
	for _, want := range []int64{2, 1, 0} {
		if n, err := env.SessionsPrune(t.Context(), env.company, env.clock.Now(), 2); n != want || err != nil {
			t.Errorf("SessionsPrune: got %d, error %v; want %d", n, err, want)
		}
	}
	if _, err := env.Authenticate(t.Context(), live.AccessToken); err != nil {
		t.Errorf("the live session: got %v", err)
	}
}

func TestVerifyAccessBindsTheSession(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	who, err := env.Authenticate(t.Context(), env.signIn(t).AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	tokens := auth.NewTokens(keySet(t, entry("k1", 0)), issuer, audience, env.clock.Now)
	for name, a := range map[string]auth.Access{
		"other company":  {CompanyID: uuid.New(), OperatorID: who.Subject, SessionID: who.SessionID},
		"other operator": {CompanyID: env.company, OperatorID: uuid.New(), SessionID: who.SessionID},
		"other session":  {CompanyID: env.company, OperatorID: who.Subject, SessionID: uuid.New()},
	} {
		token, _, err := tokens.Issue(a)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := env.VerifyAccess(t.Context(), token); !errors.Is(err, auth.ErrUnauthenticated) {
			t.Errorf("%s: got %v, want ErrUnauthenticated", name, err)
		}
	}
}
