package server

import (
	"net/http"

	"github.com/go-chi/chi/v5"
	"riverqueue.com/riverui"

	"sello/server/gqlhttp"
	"sello/server/graphiql"
	"sello/server/signin"
)

// Server answers HTTP. It is an http.Handler for tests; Run serves it.
type Server struct {
	cfg     Config
	https   bool
	handler http.Handler
	graphql *gqlhttp.Handler
	console *riverui.Handler
	pages   *signin.Pages
	limits  limits
}

// New builds the server. It fails on a mistake in the configuration.
func New(cfg Config) (*Server, error) {
	https, err := cfg.prepare()
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, https: https, limits: newLimits(cfg.Rates)}
	s.pages = signin.New(signin.Config{Auth: cfg.Auth, Secure: https, Home: cfg.Home, Now: cfg.Now})
	s.graphql = s.newGraphQL()
	if s.console, err = s.newConsole(); err != nil {
		return nil, err
	}
	s.handler = s.routes()
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

func (s *Server) routes() http.Handler {
	r := chi.NewRouter()
	r.Use(s.identify, s.observe, s.recoverPanics, s.secure, deadlines)

	r.Method(http.MethodGet, "/livez", s.cfg.Health.Live())
	r.Method(http.MethodGet, "/readyz", s.cfg.Health.Ready())
	r.Get("/.well-known/jwks.json", s.jwks)
	r.Get("/", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, s.cfg.Home, http.StatusFound) })
	for _, m := range s.cfg.Mounts {
		r.Handle(m.Path, m.Handler)
		r.Handle(m.Path+"/*", m.Handler)
	}
	if s.cfg.GraphiQL {
		r.Handle(graphiql.Path, graphiql.Handler())
		r.Handle(graphiql.Path+"/*", graphiql.Handler())
	}

	r.Group(func(r chi.Router) {
		r.Use(s.signIn(graphQLErrors{}), s.limitRate(graphQLErrors{}))
		r.Handle("/graphql", s.graphqlEndpoint())
		if s.cfg.Customers != nil {
			r.Get(exportPath, s.exportEndpoint)
		}
		if s.cfg.QRImages != nil {
			r.Get(qrPath, s.qrEndpoint)
		}
	})
	r.Group(func(r chi.Router) {
		r.Use(s.signIn(textErrors{}), s.limitRate(textErrors{}))
		r.Handle(signin.Path, s.pages.SignIn())
		r.Handle(signin.OutPath, s.pages.SignOut())
		r.Handle(consolePath, http.RedirectHandler(consolePath+"/", http.StatusMovedPermanently))
		r.Handle(consolePath+"/*", s.consoleEndpoint())
		if s.cfg.BatchCodes != nil {
			r.Get(codesPath, s.batchCodes)
		}
		if !s.cfg.OpsElsewhere {
			r.Method(http.MethodGet, "/metrics", s.forPlatform(s.cfg.Metrics.Handler()))
		}
	})
	return r
}

// jwks shows the public keys of access tokens to whoever verifies them.
func (s *Server) jwks(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/jwk-set+json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(s.cfg.Auth.JWKS())
}
