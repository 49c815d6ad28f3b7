// Package server is Sello's HTTP side: the router, sign-in, the GraphQL endpoint,
// the job console, the pages for browsers and the probes (design.md 7, 8, 11).
//
//	metrics := ops.NewMetrics()                       // before auth.New and ledger: they count into it
//	health := ops.NewHealth(ops.Check{Name: "database", Run: pool.Ping}, …)
//	srv, err := server.New(server.Config{BaseURL: …, Schema: graph.NewSchema(resolver), Auth: …, River: client,
//		Metrics: metrics, Health: health, Mounts: []server.Mount{{Path: "/wallet", Handler: wallet}, …}})
//	err = srv.Run(ctx, listener)                      // until ctx is done, then drains
//	err = server.Serve(ctx, opsListener, ops.Handler(health, metrics)) // beside it, where OPS_ADDR is set
//
// Every request passes, in this order: its name and address, the access log and
// the figures, recovery from panics, security headers, deadlines. Only the routes
// that speak our own kind of credential then sign in (Authorization or the
// session cookie) and are held to a rate; legacy shims (Mounts) sign in by
// themselves, in their own words, and tell it by request.SignedIn.
package server
