package request_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/uuid"

	"sello/loyalty/auth"
	"sello/server/request"
)

func TestLogHandler(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	once := request.LogHandler(slog.NewTextHandler(&b, nil))
	log := slog.New(request.LogHandler(once)).With("part", "x")
	line := func(ctx context.Context) string {
		b.Reset()
		log.InfoContext(ctx, "said")
		_, rest, _ := strings.Cut(b.String(), "msg=said ")
		return strings.TrimSpace(rest)
	}
	if got := line(t.Context()); got != "part=x" {
		t.Errorf("outside a request: got %q", got)
	}
	ctx := request.With(t.Context(), &request.Info{ID: "request-1", Address: "192.0.2.1"})
	if got := line(ctx); got != "part=x request_id=request-1" {
		t.Errorf("nobody's request: got %q", got)
	}
	company := uuid.New()
	below := request.SignedIn(ctx, auth.Principal{CompanyID: company, Email: "a@b.test"})
	if got := line(ctx); got != "part=x request_id=request-1 company_id="+company.String() {
		t.Errorf("a company's request, seen from outside: got %q", got)
	}
	if who, ok := auth.From(below); !ok || who.CompanyID != company {
		t.Errorf("SignedIn: got %v", who)
	}
	request.SetRoute(below, "/wallet/sale")
	if got := request.From(ctx).Route(); got != "/wallet/sale" {
		t.Errorf("Route: got %q", got)
	}
}
