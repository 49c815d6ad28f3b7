package dbtest

import (
	"context"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
)

// Statements notes the names of the statements that connections with it as their
// tracer send; the text of those that have none.
type Statements struct {
	mu    sync.Mutex
	names []string
}

// TraceQueryStart is called by pgx.
func (s *Statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := strings.Join(strings.Fields(data.SQL), " ")
	if rest, named := strings.CutPrefix(name, "-- name: "); named {
		name, _, _ = strings.Cut(rest, " ")
	}
	s.names = append(s.names, name)
	return ctx
}

// TraceQueryEnd is called by pgx.
func (s *Statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// Take answers what was sent since it was last called, in the order of sending.
func (s *Statements) Take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.names
	s.names = nil
	return taken
}
