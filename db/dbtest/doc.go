// Package dbtest gives tests a real PostgreSQL with nothing to set up
// (design.md section 12).
//
//	pool := dbtest.New(t)       // *pgxpool.Pool on a migrated database of the test's own
//	url := dbtest.URL(t)        // the same as an address, for code that connects by itself
//	srv := dbtest.NewServer(t)  // a server of the test's own: srv.URL(), Stop(), Kill(), Start()
//
// All test processes of one user share a private server, started by the first
// of them; it stops by itself once nobody used it for a minute. A template
// database, migrated once per set of migrations, is cloned per test, and the
// clone is dropped when the test ends. Clones of a killed run are dropped by
// the next run.
//
// SELLO_TEST_DATABASE_URL names a server to use instead (its user must be
// allowed to create databases); SELLO_PG_BIN names the folder of the
// PostgreSQL binaries to start.
package dbtest
