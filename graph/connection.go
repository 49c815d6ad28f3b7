package graph

import (
	"bytes"
	"context"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"

	"sello/graph/model"
)

// Page sizes (design.md 8).
const (
	defaultPage   = 25
	maxPage       = 100
	maxMovements  = 250
	cursorVersion = "1"
)

// pageSize checks a list's `first`.
func pageSize(first *int, most int) (int, error) {
	if first == nil {
		return defaultPage, nil
	}
	if *first < 1 || *first > most {
		return 0, badInput("first is between 1 and " + strconv.Itoa(most))
	}
	return *first, nil
}

// cursor is a place in a list, opaque to callers: the name of the list and the
// key of the last object.
func cursor(list string, key ...string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(cursorVersion + list + "\n" + strings.Join(key, "\n")))
}

// parseCursor takes a cursor of the list apart; nil where none was given.
func parseCursor(list string, after *string, parts int) ([]string, error) {
	if after == nil || *after == "" {
		return nil, nil
	}
	wrong := badInput("after is not a cursor of this list")
	if len(*after) > 2000 {
		return nil, wrong
	}
	raw, err := base64.RawURLEncoding.DecodeString(*after)
	if err != nil {
		return nil, wrong
	}
	// PostgreSQL refuses what is no text, and then it would be our fault.
	if !utf8.Valid(raw) || bytes.IndexByte(raw, 0) >= 0 {
		return nil, wrong
	}
	fields := strings.Split(string(raw), "\n")
	if fields[0] != cursorVersion+list || len(fields) != parts+1 {
		return nil, wrong
	}
	return fields[1:], nil
}

// afterID reads a cursor whose key is an id.
func afterID(list string, after *string) (*uuid.UUID, error) {
	key, err := parseCursor(list, after, 1)
	if err != nil || key == nil {
		return nil, err
	}
	id, err := uuid.Parse(key[0])
	if err != nil {
		return nil, badInput("after is not a cursor of this list")
	}
	return &id, nil
}

// afterNumber reads a cursor whose key is a number.
func afterNumber(list string, after *string) (*int64, error) {
	key, err := parseCursor(list, after, 1)
	if err != nil || key == nil {
		return nil, err
	}
	n, err := strconv.ParseInt(key[0], 10, 64)
	if err != nil {
		return nil, badInput("after is not a cursor of this list")
	}
	return &n, nil
}

// pageInfo closes a page whose last edge has the cursor given.
func pageInfo(more bool, last string) *model.PageInfo {
	info := &model.PageInfo{HasNextPage: more}
	if last != "" {
		info.EndCursor = &last
	}
	return info
}

// selected reports whether the caller asked for a field of the object that is
// being answered; shims, which call without a document, ask for none.
func selected(ctx context.Context, field string) bool {
	if graphql.GetFieldContext(ctx) == nil || !graphql.HasOperationContext(ctx) {
		return false
	}
	return slices.ContainsFunc(graphql.CollectFieldsCtx(ctx, nil), func(f graphql.CollectedField) bool { return f.Name == field })
}

// or is what a pointer points at, or the default.
func or[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

func instant(t time.Time) string { return strconv.FormatInt(t.UnixMicro(), 10) }
