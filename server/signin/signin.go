// Package signin signs people in with a browser: the page /sign-in, and the
// cookie that it sets (hardening.md 3.5). The cookie holds the session's access
// and refresh token, out of reach of scripts; when the access token is over, the
// refresh token is traded for new ones behind the request.
//
// SameSite=Lax lets the cookie come along when somebody follows a link from
// elsewhere, so whatever changes something must also check where it was asked
// for (http.CrossOriginProtection).
package signin

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"sello/loyalty"
	"sello/loyalty/auth"
)

const (
	// Path is the page that signs in.
	Path = "/sign-in"
	// OutPath is the page that signs out.
	OutPath = "/sign-out"
)

// Sessions is what the pages take of auth.Service.
type Sessions interface {
	SignIn(ctx context.Context, in auth.Credentials) (*auth.Session, error)
	Refresh(ctx context.Context, refreshToken string) (*auth.Session, error)
	VerifyAccess(ctx context.Context, token string) (auth.Principal, error)
	End(ctx context.Context, who auth.Principal) error
}

// Config is what New needs.
type Config struct {
	Auth Sessions
	// Secure says that the site is reached by https.
	Secure bool
	// Home is where a sign-in without a destination leads.
	Home string
	Now  func() time.Time
}

// Pages are the pages and the cookie.
type Pages struct {
	cfg      Config
	cookie   string
	renewals renewals
	sameSite *http.CrossOriginProtection
}

// New makes the pages.
func New(cfg Config) *Pages {
	p := &Pages{cfg: cfg, cookie: "sello", sameSite: http.NewCrossOriginProtection()}
	if cfg.Secure {
		// Browsers take it over https only, and from nobody but this very host.
		p.cookie = "__Host-sello"
	}
	p.renewals.held = map[renewalKey]*renewal{}
	return p
}

// HasCookie reports whether a request carries our cookie, valid or not.
func (p *Pages) HasCookie(r *http.Request) bool {
	_, err := r.Cookie(p.cookie)
	return err == nil
}

// Authenticate is who the request's cookie stands for, with the access token that
// says so; nobody and "" if there is no cookie or its session is over, and then
// the cookie is taken away. An error is a fault.
func (p *Pages) Authenticate(w http.ResponseWriter, r *http.Request) (who auth.Principal, access string, err error) {
	cookie, err := r.Cookie(p.cookie)
	if err != nil {
		return auth.Principal{}, "", nil //nolint:nilerr // no cookie is nobody
	}
	access, refresh, _ := strings.Cut(cookie.Value, separator)
	who, err = p.cfg.Auth.VerifyAccess(r.Context(), access)
	if err == nil {
		return who, access, nil
	}
	if !errors.Is(err, auth.ErrUnauthenticated) {
		return auth.Principal{}, "", err
	}
	session, err := p.renewals.trade(r.Context(), p.cfg.Auth, refresh, p.cfg.Now())
	if err == nil {
		who, err = p.cfg.Auth.VerifyAccess(r.Context(), session.AccessToken)
	}
	switch {
	case err == nil:
		p.set(w, session)
		return who, session.AccessToken, nil
	case errors.Is(err, auth.ErrUnauthenticated) || loyalty.CodeOf(err) != "":
		p.clear(w)
		return auth.Principal{}, "", nil
	default:
		return auth.Principal{}, "", err
	}
}

// separator parts the two tokens of a cookie; neither has it.
const separator = "~"

func (p *Pages) set(w http.ResponseWriter, s *auth.Session) {
	http.SetCookie(w, p.newCookie(s.AccessToken+separator+s.RefreshToken, int(s.RefreshExpiresAt.Sub(p.cfg.Now()).Seconds())))
}

func (p *Pages) clear(w http.ResponseWriter) { http.SetCookie(w, p.newCookie("", -1)) }

func (p *Pages) newCookie(value string, seconds int) *http.Cookie {
	return &http.Cookie{
		Name: p.cookie, Value: value, Path: "/", MaxAge: seconds,
		HttpOnly: true, Secure: p.cfg.Secure, SameSite: http.SameSiteLaxMode,
	}
}
