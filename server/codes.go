package server

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"sello/loyalty"
	"sello/loyalty/auth"
)

// codesPath is where the codes of a batch of coupons are, by its opaque id
// (CouponBatch.codesPath).
const codesPath = "/coupon-batches/{id}/codes.csv"

// batchCodes answers the codes of a batch of coupons as a file, streamed: whatever
// its size, a page of it is in memory.
func (s *Server) batchCodes(w http.ResponseWriter, r *http.Request) {
	file := &streamed{w: w}
	err := s.cfg.BatchCodes(r.Context(), chi.URLParam(r, "id"), file)
	if err == nil {
		return
	}
	if file.begun { // too late for another status: a file that breaks off is known by its end
		s.cfg.Log.ErrorContext(r.Context(), "a file of codes broke off", "error", err)
		panic(http.ErrAbortHandler)
	}
	refuse, status, message := textErrors{}, http.StatusInternalServerError, "something went wrong on our side"
	switch {
	case errors.Is(err, auth.ErrUnauthenticated):
		status, message = http.StatusUnauthorized, "sign in first: send a valid access token or API key"
	case errors.Is(err, auth.ErrForbidden):
		status, message = http.StatusForbidden, "the credential lacks the scope "+string(auth.CouponsRead)
	case loyalty.CodeOf(err) == loyalty.CodeCouponBatchNotFound:
		status, message = http.StatusNotFound, "there is no batch of coupons with this id"
	default:
		s.cfg.Log.ErrorContext(r.Context(), "a file of codes failed", "error", err)
	}
	refuse.write(w, r, status, "", message)
}

// streamed writes a CSV file, whose headers go before its first byte and whose time
// is counted anew for each piece.
type streamed struct {
	w     http.ResponseWriter
	begun bool
}

var _ io.Writer = (*streamed)(nil)

// Write writes a piece.
func (s *streamed) Write(p []byte) (int, error) {
	if !s.begun {
		s.begun = true
		s.w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		s.w.Header().Set("Content-Disposition", `attachment; filename="codes.csv"`)
		s.w.Header().Set("Cache-Control", "no-store")
	}
	_ = http.NewResponseController(s.w).SetWriteDeadline(time.Now().Add(answerTime))
	return s.w.Write(p)
}
