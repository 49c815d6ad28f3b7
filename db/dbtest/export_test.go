package dbtest

import "context"

// WatchIdle lets a test be less patient than a run.
var WatchIdle = watchIdle

// TempDir is where the private server lies.
var TempDir = tempDir

// LockUsers is the lock that keeps the idle watch from stopping the server.
const LockUsers = lockUsers

// DropStale does what every process does when it joins.
func DropStale(ctx context.Context) error {
	s, err := once()
	if err != nil {
		return err
	}
	return s.dropStale(ctx)
}

// DatabaseExists looks on the shared server.
func DatabaseExists(ctx context.Context, name string) (bool, error) {
	s, err := once()
	if err != nil {
		return false, err
	}
	var exists bool
	err = s.admin.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&exists)
	return exists, err
}
