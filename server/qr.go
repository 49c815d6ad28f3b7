package server

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"

	"sello/loyalty"
	"sello/loyalty/auth"
)

// qrPath is where the picture of a customer's QR code is: qr.png and qr.svg.
const qrPath = "/api/v1/customers/{id}/qr.{format:png|svg}"

// defaultQRSize is a picture's side in pixels where nobody says.
const defaultQRSize = 256

// QRDrawer draws customers' QR codes: graph.Resolver.
type QRDrawer interface {
	CustomerQRImage(ctx context.Context, id, format string, size int) (media string, picture []byte, err error)
}

// qrEndpoint answers with the picture of a customer's QR code, of size pixels a side
// (query). Nobody else's cache keeps it: who holds it spends the points.
func (s *Server) qrEndpoint(w http.ResponseWriter, r *http.Request) {
	size := defaultQRSize
	var err error
	if text := r.URL.Query().Get("size"); text != "" {
		if size, err = strconv.Atoi(text); err != nil {
			size = -1 // refused below, with the other sizes that are none
		}
	}
	media, picture, err := s.cfg.QRImages.CustomerQRImage(r.Context(), chi.URLParam(r, "id"), chi.URLParam(r, "format"), size)
	var refuse graphQLErrors
	switch {
	case err == nil:
		w.Header().Set("Content-Type", media)
		w.Header().Set("Cache-Control", "private, no-store")
		w.Header().Set("Content-Length", strconv.Itoa(len(picture)))
		_, _ = w.Write(picture) // the client went away
	case loyalty.CodeOf(err) == loyalty.CodeCustomerNotFound:
		refuse.write(w, r, http.StatusNotFound, string(loyalty.CodeCustomerNotFound), "there is no such customer")
	case loyalty.CodeOf(err) != "":
		refuse.write(w, r, http.StatusBadRequest, string(loyalty.CodeOf(err)), "size is a number of pixels from 64 to 2048")
	case errors.Is(err, auth.ErrUnauthenticated):
		w.Header().Set("WWW-Authenticate", "Bearer")
		refuse.write(w, r, http.StatusUnauthorized, codeUnauthenticated, "sign in first: send a valid access token or API key")
	case errors.Is(err, auth.ErrForbidden):
		refuse.write(w, r, http.StatusForbidden, codeForbidden, "a QR code takes the scope "+string(auth.CustomersRead))
	default:
		s.cfg.Log.ErrorContext(r.Context(), "drawing a QR code failed", "error", err)
		refuse.write(w, r, http.StatusInternalServerError, codeInternal, "something went wrong on our side")
	}
}
