package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"sello/loyalty"
	"sello/loyalty/auth"
)

// exportPath is where a person's data is downloaded.
const exportPath = "/api/v1/customers/{id}/export.json"

// Exporter writes what is held about a customer: graph.Resolver.
type Exporter interface {
	CustomerExport(ctx context.Context, id string, w io.Writer) error
}

// exportEndpoint answers with everything that is held about a person, a piece at a
// time whatever its size.
func (s *Server) exportEndpoint(w http.ResponseWriter, r *http.Request) {
	file := &download{w: w}
	err := s.cfg.Customers.CustomerExport(r.Context(), chi.URLParam(r, "id"), file)
	if err == nil {
		return
	}
	if file.begun {
		// Half a file must not look like a whole one.
		panic(http.ErrAbortHandler)
	}
	var refuse graphQLErrors
	refused, isRefusal := errors.AsType[*loyalty.Error](err)
	switch {
	case isRefusal && refused.Code == loyalty.CodeCustomerMerged:
		refuse.write(w, r, http.StatusGone, string(refused.Code), "the customer was merged into "+refused.Params["intoId"])
	case isRefusal:
		refuse.write(w, r, http.StatusNotFound, string(refused.Code), "there is no such customer")
	case errors.Is(err, auth.ErrUnauthenticated):
		w.Header().Set("WWW-Authenticate", "Bearer")
		refuse.write(w, r, http.StatusUnauthorized, codeUnauthenticated, "sign in first: send a valid access token or API key")
	case errors.Is(err, auth.ErrForbidden):
		refuse.write(w, r, http.StatusForbidden, codeForbidden, "an export takes the scopes customers:read, cards:read and notifications:read")
	default:
		s.cfg.Log.ErrorContext(r.Context(), "export failed", "error", err)
		refuse.write(w, r, http.StatusInternalServerError, codeInternal, "something went wrong on our side")
	}
}

// download writes a file: headers with the first byte, so that a refusal before it
// is still an answer of its own, and a deadline for each piece.
type download struct {
	w     http.ResponseWriter
	begun bool
}

// Write implements io.Writer.
func (d *download) Write(piece []byte) (int, error) {
	if !d.begun {
		d.begun = true
		d.w.Header().Set("Content-Type", "application/json; charset=utf-8")
		d.w.Header().Set("Content-Disposition", `attachment; filename="customer.json"`)
	}
	_ = http.NewResponseController(d.w).SetWriteDeadline(time.Now().Add(answerTime))
	return d.w.Write(piece)
}
