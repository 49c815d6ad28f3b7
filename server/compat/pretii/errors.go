package pretii

import (
	"encoding/json"
	"net/http"

	"sello/loyalty"
)

// problem is one row of spec/pretii.md 2.1.
type problem struct {
	status        int
	code, message string
}

// The answers of spec/pretii.md 2.1, word for word.
var (
	invalidToken     = problem{http.StatusUnauthorized, "token_invalido", "El token no es válido."}
	notFound         = problem{http.StatusNotFound, "no_encontrado", "El recurso no existe."}
	importNotFound   = problem{http.StatusNotFound, "importacion_no_encontrada", "No se encontró la importación."}
	methodNotAllowed = problem{http.StatusMethodNotAllowed, "metodo_no_permitido", "El método no está permitido."}
	fileTooLarge     = problem{http.StatusRequestEntityTooLarge, "archivo_muy_grande", "El archivo supera el tamaño permitido."}
	unsupportedType  = problem{http.StatusUnsupportedMediaType, "tipo_no_soportado", "El tipo de contenido no es soportado."}
	invalidData      = problem{http.StatusUnprocessableEntity, "datos_invalidos", "Los datos enviados no son válidos."}
	tooManyRequests  = problem{http.StatusTooManyRequests, "demasiadas_solicitudes", "Demasiadas solicitudes, intente más tarde."}
	internal         = problem{http.StatusInternalServerError, "error_interno", "Ocurrió un error interno."}
)

// importProblems are the refusals of imports in this dialect's words. A company
// without a points programme cannot be mended by the caller.
var importProblems = map[loyalty.Code]problem{
	loyalty.CodeImportNotFound:   importNotFound,
	loyalty.CodeCardTypeNotFound: internal,
	loyalty.CodeCardTypeArchived: internal,
}

type errorBody struct {
	Error struct {
		Code    string            `json:"codigo"`
		Message string            `json:"mensaje"`
		Fields  map[string]string `json:"campos,omitempty"`
	} `json:"error"`
}

func fail(w http.ResponseWriter, p problem) { failFields(w, p, nil) }

func failFields(w http.ResponseWriter, p problem, fields map[string]string) {
	var body errorBody
	body.Error.Code, body.Error.Message, body.Error.Fields = p.code, p.message, fields
	answer(w, p.status, body)
}

func failToken(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", "Bearer")
	fail(w, invalidToken)
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(body) // the client went away
}
