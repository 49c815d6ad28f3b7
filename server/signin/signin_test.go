package signin_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"sello/db"
	"sello/db/dbtest"
	"sello/loyalty/auth"
	"sello/server/signin"
)

// env is a signed-in browser's cookie and the clock that makes it old.
type env struct {
	auth    *auth.Service
	pages   *signin.Pages
	pool    *pgxpool.Pool
	session *auth.Session

	mu  sync.Mutex
	now time.Time
}

func (e *env) Now() time.Time { e.mu.Lock(); defer e.mu.Unlock(); return e.now }

func (e *env) pass(d time.Duration) { e.mu.Lock(); defer e.mu.Unlock(); e.now = e.now.Add(d) }

func newEnv(t *testing.T) *env {
	t.Helper()
	pool := dbtest.New(t)
	e := &env{pool: pool, now: time.Date(2026, time.November, 21, 12, 0, 0, 0, time.UTC)}
	keys, err := auth.ParseKeys(auth.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	e.auth = auth.New(auth.Config{
		DB: db.NewStore(pool), Keys: keys, Now: e.Now, Issuer: "http://sello.test",
		Hasher: auth.NewHasher(auth.Params{Memory: 64, Time: 1, Threads: 1}, 4),
	})
	company := uuid.New()
	if _, err := pool.Exec(t.Context(), `INSERT INTO company (id, code, name, time_zone, language, currency, phone_prefix, created_at, updated_at)
		VALUES ($1, 'acme', 'Acme', 'America/Mexico_City', 'es', 'MXN', '+52', now(), now())`, company); err != nil {
		t.Fatal(err)
	}
	if _, err := e.auth.OperatorCreate(t.Context(), auth.System(company), auth.OperatorInput{
		Email: "a@acme.test", Name: "A", Password: "correct horse", Scopes: auth.CompanyScopes(),
	}); err != nil {
		t.Fatal(err)
	}
	if e.session, err = e.auth.SignIn(t.Context(), auth.Credentials{Company: "acme", Email: "a@acme.test", Password: "correct horse"}); err != nil {
		t.Fatal(err)
	}
	e.pages = signin.New(signin.Config{Auth: e.auth, Home: "/", Now: e.Now})
	return e
}

// ask is a request with a cookie: who it is taken for, and the cookie that the
// answer sets, "" if none.
func (e *env) ask(t *testing.T, pages *signin.Pages, cookie string) (who auth.Principal, access, set string) {
	t.Helper()
	w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.AddCookie(&http.Cookie{Name: "sello", Value: cookie})
	who, access, err := pages.Authenticate(w, r)
	if err != nil {
		t.Errorf("Authenticate: %v", err)
	}
	if cookies := w.Result().Cookies(); len(cookies) > 0 {
		set = cookies[0].Value
		if set == "" {
			set = "taken away"
		}
	}
	return who, access, set
}

// TestRenewal: a page's requests come all at once with a cookie whose access token
// is over. The refresh token, which works once, must serve them all.
func TestRenewal(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	cookie := e.session.AccessToken + "~" + e.session.RefreshToken
	if who, access, set := e.ask(t, e.pages, cookie); who.Email != "a@acme.test" || access != e.session.AccessToken || set != "" {
		t.Errorf("a fresh cookie: got %q, cookie %q", who.Email, set)
	}
	e.pass(16 * time.Minute)

	var page sync.WaitGroup
	set := make([]string, 8)
	for i := range set {
		page.Go(func() {
			who, access, renewed := e.ask(t, e.pages, cookie)
			if who.Email != "a@acme.test" || !strings.HasPrefix(renewed, access+"~") {
				t.Errorf("request %d: got %q, cookie %q", i, who.Email, renewed)
			}
			set[i] = renewed
		})
	}
	page.Wait()
	for _, other := range set {
		if other != set[0] || other == cookie {
			t.Fatal("the requests of a page got different cookies")
		}
	}

	// The old cookie a minute later is in other hands, and ends the session.
	e.pass(time.Minute)
	if who, _, set := e.ask(t, e.pages, cookie); who.Email != "" || set != "taken away" {
		t.Errorf("the old cookie again: got %q, cookie %q", who.Email, set)
	}
	e.pass(16 * time.Minute)
	if who, _, set := e.ask(t, e.pages, set[0]); who.Email != "" || set != "taken away" {
		t.Errorf("the session after that: got %q, cookie %q", who.Email, set)
	}
}

func TestWrongCookies(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for _, cookie := range []string{"x", "~", "a~b", e.session.RefreshToken, "x~" + e.session.RefreshToken[:20]} {
		if who, access, set := e.ask(t, e.pages, cookie); who.CompanyID != uuid.Nil || access != "" || set != "taken away" {
			t.Errorf("cookie %q: got %v, cookie %q", cookie, who, set)
		}
	}
	e.pass(31 * 24 * time.Hour)
	if who, _, set := e.ask(t, e.pages, e.session.AccessToken+"~"+e.session.RefreshToken); who.Email != "" || set != "taken away" {
		t.Errorf("a month later: got %q, cookie %q", who.Email, set)
	}
	if e.pages.HasCookie(httptest.NewRequest(http.MethodGet, "/", nil)) {
		t.Error("HasCookie: true without a cookie")
	}
}

// TestFaultKeepsCookie: a database that is away signs nobody out.
func TestFaultKeepsCookie(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	e.pool.Close()
	r.AddCookie(&http.Cookie{Name: "sello", Value: e.session.AccessToken + "~" + e.session.RefreshToken})
	if _, _, err := e.pages.Authenticate(w, r); err == nil || errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("got error %v, want a fault", err)
	}
	if len(w.Result().Cookies()) != 0 {
		t.Errorf("got cookies %v", w.Result().Cookies())
	}
}
