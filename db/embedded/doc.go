// Package embedded runs a private PostgreSQL for one data folder, so that
// Sello works on a machine where nothing is set up (design.md section 10).
//
// The server listens on a Unix socket only, in a folder of its own user, so it
// needs neither a port nor a password. It is a direct child of this process,
// never started by pg_ctl: a daemonised server that is killed may linger
// unreaped and keep the next one from starting.
//
//	bin, err := embedded.Find(ctx, embedded.FindOptions{DataDir: dir})
//	server, err := embedded.Start(ctx, embedded.Options{DataDir: dir, Binaries: bin})
//	defer server.Stop(ctx)
//	pool, err := pgxpool.New(ctx, server.URL("postgres"))
//
// A data folder holds
//
//	lock          held while a process owns the folder; contains its id
//	pgdata/       the cluster, owned by the user PostgreSQL runs as
//	run/          the socket, unless its path would be too long
//	postgres.log  what the server says
package embedded
