package signin

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/server/request"
)

// formBytes bounds a form: three short fields and a destination.
const formBytes = 8 << 10

//go:embed page.html
var pageText string

//go:embed page.css
var styles string

var page = template.Must(template.New("page").Parse(pageText))

// policy lets the page apply its one style sheet and send its form here: nothing
// else, and no script at all.
var policy = func() string {
	sum := sha256.Sum256([]byte(styles))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; img-src data:; " +
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}()

type view struct {
	Words
	Language string
	Styles   template.CSS
	// Problem is told above the form.
	Problem string
	// SignedIn is the operator's address on the page for who is signed in.
	SignedIn   string
	Given      given
	Next, Home string
}

// given is what the form held, shown again after a refusal; the password is not.
type given struct{ Company, Email string }

// SignIn is the page /sign-in: its form, and for who is signed in the way on and
// the way out.
func (p *Pages) SignIn() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet, http.MethodHead:
			v := view{Next: destination(r.URL.Query().Get("next"))}
			if who, ok := auth.From(r.Context()); ok && who.Kind == auth.KindOperator {
				v.SignedIn = who.Email
			}
			p.show(w, r, http.StatusOK, v)
		case http.MethodPost:
			p.post(w, r)
		default:
			notAllowed(w, "GET, HEAD, POST")
		}
	})
}

// SignOut is /sign-out: a POST ends the session, a GET leads to the page with the
// button that sends it.
func (p *Pages) SignOut() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodGet || r.Method == http.MethodHead:
			http.Redirect(w, r, Path, http.StatusSeeOther)
		case r.Method != http.MethodPost:
			notAllowed(w, "GET, HEAD, POST")
		case p.sameSite.Check(r) != nil:
			http.Error(w, "this has to come from the page itself", http.StatusForbidden)
		default:
			if who, ok := auth.From(r.Context()); ok && who.Kind == auth.KindOperator {
				if err := p.cfg.Auth.End(r.Context(), who); err != nil {
					slog.ErrorContext(r.Context(), "sign-out failed", "error", err)
					http.Error(w, "something went wrong on our side", http.StatusInternalServerError)
					return
				}
			}
			p.clear(w)
			http.Redirect(w, r, Path, http.StatusSeeOther)
		}
	})
}

// post takes the form.
func (p *Pages) post(w http.ResponseWriter, r *http.Request) {
	// Also here, or somebody else's page could sign a visitor in as somebody else.
	if p.sameSite.Check(r) != nil {
		http.Error(w, "this has to come from the page itself", http.StatusForbidden)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, formBytes)
	if err := r.ParseForm(); err != nil {
		status := http.StatusBadRequest
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, "this is not the page's form", status)
		return
	}
	v := view{
		Next:  destination(r.PostForm.Get("next")),
		Given: given{Company: strings.TrimSpace(r.PostForm.Get("company")), Email: strings.TrimSpace(r.PostForm.Get("email"))},
	}
	session, err := p.cfg.Auth.SignIn(r.Context(), auth.Credentials{
		Company: v.Given.Company, Email: v.Given.Email, Password: r.PostForm.Get("password"), Address: request.From(r.Context()).Address,
	})
	words := wordsOf(r)
	throttled, tooMany := errors.AsType[*auth.ThrottledError](err)
	switch {
	case err == nil:
		p.set(w, session)
		to := v.Next
		if to == "" {
			to = p.cfg.Home
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
	case loyalty.CodeOf(err) != "":
		v.Problem = words.Wrong
		p.show(w, r, http.StatusUnauthorized, v)
	case tooMany:
		w.Header().Set("Retry-After", strconv.Itoa(int(throttled.RetryAfter.Seconds())+1))
		v.Problem = words.TooMany
		p.show(w, r, http.StatusTooManyRequests, v)
	case errors.Is(err, auth.ErrBusy):
		w.Header().Set("Retry-After", "1")
		v.Problem = words.Busy
		p.show(w, r, http.StatusServiceUnavailable, v)
	default:
		slog.ErrorContext(r.Context(), "sign-in failed", "error", err)
		v.Problem = words.Fault
		p.show(w, r, http.StatusInternalServerError, v)
	}
}

func (p *Pages) show(w http.ResponseWriter, r *http.Request, status int, v view) {
	v.Words, v.Language = wordsOf(r), languageOf(r)
	v.Styles, v.Home = template.CSS(styles), p.cfg.Home //nolint:gosec // our own file
	if v.Home == Path {
		v.Home = ""
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", policy)
	w.WriteHeader(status)
	if err := page.Execute(w, v); err != nil {
		slog.DebugContext(r.Context(), "sign-in page not written", "error", err) // the browser went away
	}
}

// destination is where to go after the sign-in: a path of this site, "" for any
// other text, which would lead people elsewhere from our own page.
func destination(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || u.Opaque != "" ||
		!strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.ContainsAny(next, "\\\t\r\n") {
		return ""
	}
	if u.Path == Path || u.Path == OutPath {
		return ""
	}
	return u.String()
}

func notAllowed(w http.ResponseWriter, allow string) {
	w.Header().Set("Allow", allow)
	http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
}
