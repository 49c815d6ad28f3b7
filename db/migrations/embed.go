// Package migrations holds the schema of Sello as numbered SQL files, forward
// only, and embeds them, so that one binary is enough to bring a database up
// to date (db.Migrate).
package migrations

import "embed"

// FS holds every migration, named 0001_what.sql and read by goose.
//
//go:embed *.sql
var FS embed.FS
