// Package graphiql serves the GraphQL explorer: GraphiQL with its editor, its
// workers and a sign-in strip, built from console/graphiql into dist and
// embedded here, so that the page works without any other host. It is a page of
// its own because its editor is twenty times the console's first load.
//
// The page itself holds nothing secret and needs no sign-in; what it asks
// /graphql does. Whether it is mounted at all is the caller's decision
// (introspection is a matter of configuration, design.md 8).
package graphiql

import (
	"embed"
	"net/http"
)

// Path is where the explorer lives. Mount [Handler] there and at Path + "/":
// the page addresses its files and /graphql relative to that place.
const Path = "/graphiql"

//go:generate npm --prefix ../../console/graphiql ci --ignore-scripts
//go:generate npm --prefix ../../console/graphiql run build

//go:embed all:dist
var dist embed.FS

// policy lets the page load only what this host serves. The editor sets inline
// styles and starts workers; subscriptions need a socket; base-uri, form-action
// and frame-ancestors do not fall back to default-src and close base injection,
// a password form sent without script, and framing.
const policy = "default-src 'self'; " +
	"worker-src 'self' blob:; " +
	"style-src 'self' 'unsafe-inline'; " +
	"connect-src 'self' ws: wss:; " +
	"img-src 'self' data:; " +
	"font-src 'self' data:; " +
	"object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler serves the explorer below [Path] and redirects Path itself to the
// page. It expects the request's whole path (no http.StripPrefix), answers GET
// and HEAD only, and panics if the embedded build is unreadable, which only a
// broken build can cause.
func Handler() http.Handler {
	files := loadFiles(dist)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer") // a shared link carries its query
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			header.Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		if r.URL.Path == Path {
			redirect(w, r)
			return
		}
		f, ok := files[r.URL.Path]
		if !ok {
			header.Set("Cache-Control", "no-store")
			http.NotFound(w, r)
			return
		}
		f.serve(w, r)
	})
}

// redirect sends the browser to the page's folder with a relative address, so
// that a prefix added by a proxy in front of us survives.
func redirect(w http.ResponseWriter, r *http.Request) {
	target := Path[1:] + "/"
	if r.URL.RawQuery != "" {
		target += "?" + r.URL.RawQuery
	}
	w.Header().Set("Location", target)
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusTemporaryRedirect)
}
