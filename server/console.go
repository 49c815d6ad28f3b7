package server

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"riverqueue.com/riverui"

	"sello/loyalty/auth"
	"sello/server/signin"
)

// consolePath is where River's own console of jobs lives (design.md 5).
const consolePath = "/jobs"

// consolePolicy lets the console load its own files; its styles are set inline.
const consolePolicy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; " +
	"object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// consoleBody bounds what the console sends: lists of job ids.
const consoleBody = 64 << 10

func (s *Server) newConsole() (*riverui.Handler, error) {
	console, err := riverui.NewHandler(&riverui.HandlerOpts{
		Endpoints:                riverui.NewEndpoints(s.cfg.River, nil),
		JobListHideArgsByDefault: true,
		Logger:                   s.cfg.Log,
		Prefix:                   consolePath,
	})
	if err != nil {
		return nil, fmt.Errorf("make the job console: %w", err)
	}
	return console, nil
}

// consoleEndpoint lets platform operators in. The console knows no users, and no
// protection against other sites' pages, itself; it shows jobs of all companies.
func (s *Server) consoleEndpoint() http.Handler {
	sameSite := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := auth.Require(r.Context(), auth.Platform)
		switch {
		case errors.Is(err, auth.ErrForbidden):
			http.Error(w, "this takes the scope platform", http.StatusForbidden)
			return
		case err != nil && r.Method == http.MethodGet && isNavigation(r):
			http.Redirect(w, r, signin.Path+"?next="+url.QueryEscape(consolePath+"/"), http.StatusSeeOther)
			return
		case err != nil:
			http.Error(w, "sign in first", http.StatusUnauthorized)
			return
		}
		if err := sameSite.Check(r); err != nil {
			http.Error(w, "this has to come from the console itself", http.StatusForbidden)
			return
		}
		w.Header().Set("Content-Security-Policy", consolePolicy)
		r.Body = http.MaxBytesReader(w, r.Body, consoleBody)
		s.console.ServeHTTP(w, r)
	})
}

// isNavigation tells a page that a person opens from what scripts fetch.
func isNavigation(r *http.Request) bool {
	mode := r.Header.Get("Sec-Fetch-Mode")
	return mode == "navigate" || mode == ""
}
