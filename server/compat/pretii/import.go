package pretii

import (
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"sello/graph"
	"sello/loyalty"
)

// importBody is the object of spec/pretii.md 4.1.
type importBody struct {
	ID         string     `json:"id"`
	FileName   string     `json:"archivo"`
	State      string     `json:"estado"`
	Repeated   bool       `json:"repetida"`
	CreatedAt  string     `json:"creada_en"`
	StartedAt  *string    `json:"iniciada_en"`
	FinishedAt *string    `json:"terminada_en"`
	Totals     *totals    `json:"totales"`
	Errors     []rowError `json:"errores"`
	Refusal    *refusal   `json:"rechazo"`
}

type totals struct {
	Rows             int64 `json:"filas"`
	Applied          int64 `json:"aplicadas"`
	Rejected         int64 `json:"con_error"`
	CustomersCreated int64 `json:"clientes_creados"`
	CustomersUpdated int64 `json:"clientes_actualizados"`
	Points           int64 `json:"puntos_asignados"`
}

type rowError struct {
	Line   int32  `json:"linea"`
	Code   string `json:"codigo"`
	Reason string `json:"motivo"`
	Value  string `json:"valor"`
}

type refusal struct {
	Code    string `json:"codigo"`
	Message string `json:"mensaje"`
}

// states are the words for an import's states. One that an operator cancelled
// has stopped on its way, which this dialect knows as fallida.
var states = map[string]string{
	"queued": "en_cola", "running": "procesando", "finished": "terminada",
	"refused": "rechazada", "failed": "fallida", "cancelled": "fallida",
}

func bodyOf(imp *graph.Import, rejected []graph.ImportRowError, repeated bool) map[string]importBody {
	b := importBody{
		ID: importID(imp.ID), FileName: imp.FileName, State: states[imp.Status], Repeated: repeated,
		CreatedAt: *instant(&imp.CreatedAt), StartedAt: instant(imp.StartedAt), FinishedAt: instant(imp.FinishedAt),
		Errors: []rowError{},
	}
	for _, r := range rejected {
		b.Errors = append(b.Errors, rowError{r.Line, string(r.Code), r.Reason, r.Value})
	}
	switch imp.Status {
	case "queued":
	case "refused":
		if imp.RefusalCode != nil && imp.RefusalMessage != nil {
			b.Refusal = &refusal{*imp.RefusalCode, *imp.RefusalMessage}
		}
	default:
		t := imp.Totals()
		b.Totals = &totals{t.Rows, t.Applied, t.Rejected, t.CustomersCreated, t.CustomersUpdated, t.PointsAssigned}
	}
	return map[string]importBody{"importacion": b}
}

// instant is a time that may not have come yet.
func instant(at *time.Time) *string {
	if at == nil {
		return nil
	}
	return new(moment(*at))
}

// importID is an import's id in this dialect: imp_ and 32 hexadecimal digits.
func importID(id uuid.UUID) string { return "imp_" + hex.EncodeToString(id[:]) }

func parseImportID(text string) (uuid.UUID, bool) { return parseID(text, "imp_") }

// parseID reads an id of this dialect: what it is of, and 32 hexadecimal digits.
func parseID(text, of string) (uuid.UUID, bool) {
	digits, ok := strings.CutPrefix(text, of)
	if !ok || len(digits) != 32 {
		return uuid.Nil, false
	}
	id, err := uuid.Parse(digits)
	return id, err == nil
}

// importUpload answers POST /importaciones/puntos (spec/pretii.md 4.1).
func (h *Handler) importUpload(w http.ResponseWriter, r *http.Request) error {
	body := paced(w, r)
	defer body.over()
	form, err := h.readUpload(w, r, body)
	if err != nil {
		moreTime(w)
		return err
	}
	defer form.close()
	imp, repeated, err := h.cfg.Graph.ImportUpload(r.Context(), graph.ImportFile{
		FileName: form.fileName, Body: form.file, Recipient: form.email, Forced: form.forced,
	})
	moreTime(w)
	refusal, isRefusal := errors.AsType[*loyalty.Error](err)
	_, tooLarge := errors.AsType[*graph.ImportTooLargeError](err)
	switch {
	case tooLarge || body.tooLarge:
		return refused(fileTooLarge)
	case body.broken:
		panic(http.ErrAbortHandler) // the client is gone or too slow: nobody to answer
	case isRefusal && refusal.Field == "recipient":
		return invalid(map[string]string{"email": "El email no es válido."})
	case err != nil:
		return importRefused(err)
	}
	return h.answerUpload(w, r, imp, repeated)
}

func (h *Handler) answerUpload(w http.ResponseWriter, r *http.Request, imp *graph.Import, repeated bool) error {
	if !repeated {
		w.Header().Set("Location", Path+"/importaciones/"+importID(imp.ID))
		answer(w, http.StatusAccepted, bodyOf(imp, nil, false))
		return nil
	}
	earlier, rejected, err := h.cfg.Graph.ImportWithErrors(r.Context(), imp.ID)
	if err != nil {
		return importRefused(err)
	}
	answer(w, http.StatusOK, bodyOf(earlier, rejected, true))
	return nil
}

// importGet answers GET /importaciones/{id}.
func (h *Handler) importGet(w http.ResponseWriter, r *http.Request) error {
	id, ok := parseImportID(chi.URLParam(r, "id"))
	if !ok {
		return refused(importNotFound)
	}
	imp, rejected, err := h.cfg.Graph.ImportWithErrors(r.Context(), id)
	if err != nil {
		return importRefused(err)
	}
	answer(w, http.StatusOK, bodyOf(imp, rejected, false))
	return nil
}

// importErrorFile answers GET /importaciones/{id}/errores.csv (spec/pretii.md
// 4.6), a page at a time whatever its size.
func (h *Handler) importErrorFile(w http.ResponseWriter, r *http.Request) error {
	id, ok := parseImportID(chi.URLParam(r, "id"))
	if !ok {
		return refused(importNotFound)
	}
	file := &download{w: w}
	err := h.cfg.Graph.ImportErrorFile(r.Context(), id, file)
	if err != nil && file.begun {
		// Half a file must not look like a whole one.
		panic(http.ErrAbortHandler)
	}
	return importRefused(err)
}

// importRefused answers a refusal by the table. One that is not there, such as that of a
// company without a points programme, is a fault: somebody has to mend its set-up.
func importRefused(err error) error {
	if p, ok := importProblems[loyalty.CodeOf(err)]; ok {
		return refused(p)
	}
	return err
}

// download writes a file: headers with the first byte, so that a refusal before
// it is still an answer of its own, and a deadline for each piece.
type download struct {
	w     http.ResponseWriter
	begun bool
}

func (d *download) Write(piece []byte) (int, error) {
	if !d.begun {
		d.begun = true
		d.w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		d.w.Header().Set("Content-Disposition", `attachment; filename="errores.csv"`)
	}
	moreTime(d.w)
	return d.w.Write(piece)
}
