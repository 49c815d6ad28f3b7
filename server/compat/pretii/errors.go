package pretii

import (
	"encoding/json"
	"fmt"
	"net/http"

	"sello/graph/model"
	"sello/loyalty"
)

// problem is one row of spec/pretii.md 2.1.
type problem struct {
	status        int
	code, message string
}

// The answers of spec/pretii.md 2.1, word for word.
var (
	invalidJSON         = problem{http.StatusBadRequest, "json_invalido", "El cuerpo de la petición no es un JSON válido."}
	invalidToken        = problem{http.StatusUnauthorized, "token_invalido", "El token no es válido."}
	notFound            = problem{http.StatusNotFound, "no_encontrado", "El recurso no existe."}
	customerNotFound    = problem{http.StatusNotFound, "cliente_no_encontrado", "No se encontró el cliente."}
	importNotFound      = problem{http.StatusNotFound, "importacion_no_encontrada", "No se encontró la importación."}
	methodNotAllowed    = problem{http.StatusMethodNotAllowed, "metodo_no_permitido", "El método no está permitido."}
	emailTaken          = problem{http.StatusConflict, "cliente_duplicado", "Ya existe un cliente con ese email."}
	documentTaken       = problem{http.StatusConflict, "cliente_duplicado", "Ya existe un cliente con ese documento de identidad."}
	insufficientBalance = problem{http.StatusConflict, "saldo_insuficiente", "El cliente no tiene puntos suficientes."}
	referenceUsed       = problem{http.StatusConflict, "referencia_duplicada", "La referencia ya fue usada con otros datos."}
	fileTooLarge        = problem{http.StatusRequestEntityTooLarge, "archivo_muy_grande", "El archivo supera el tamaño permitido."}
	requestTooLarge     = problem{http.StatusRequestEntityTooLarge, "peticion_muy_grande", "La petición es demasiado grande."}
	unsupportedType     = problem{http.StatusUnsupportedMediaType, "tipo_no_soportado", "El tipo de contenido no es soportado."}
	invalidData         = problem{http.StatusUnprocessableEntity, "datos_invalidos", "Los datos enviados no son válidos."}
	ratioMissing        = problem{http.StatusUnprocessableEntity, "equivalencia_no_configurada", "La equivalencia de puntos no está configurada."}
	tooManyRequests     = problem{http.StatusTooManyRequests, "demasiadas_solicitudes", "Demasiadas solicitudes, intente más tarde."}
	internal            = problem{http.StatusInternalServerError, "error_interno", "Ocurrió un error interno."}

	// Two of our own: cards and customers can be blocked here, which the document does
	// not know. A file's rows say the same of a card.
	cardNotEnabled  = problem{http.StatusConflict, "tarjeta_no_habilitada", "La tarjeta del cliente no está habilitada."}
	customerBlocked = problem{http.StatusConflict, "cliente_bloqueado", "El cliente está bloqueado."}
)

// failure is a problem with what else its answer tells. As an error it ends a request.
type failure struct {
	problem
	// fields are the wrong ones, in datos_invalidos.
	fields map[string]string
	// customerID is who has what has to be unique.
	customerID string
	// balance is what there is.
	balance *json.Number
}

// Error is the code, for logs and tests.
func (f failure) Error() string { return f.code }

// refused makes a failure of a problem that tells nothing else.
func refused(p problem) error { return failure{problem: p} }

// invalid makes datos_invalidos of the wrong fields.
func invalid(fields map[string]string) error { return failure{problem: invalidData, fields: fields} }

// importProblems are the refusals of imports in this dialect's words.
var importProblems = map[loyalty.Code]problem{
	loyalty.CodeImportNotFound: importNotFound,
}

// pointsProblems are the refusals of changes of points that are of no field.
var pointsProblems = map[loyalty.Code]problem{
	loyalty.CodeCustomerNotFound:    customerNotFound,
	loyalty.CodeCustomerBlocked:     customerBlocked,
	loyalty.CodeCardNotEnabled:      cardNotEnabled,
	loyalty.CodeCardNotValid:        cardNotEnabled,
	loyalty.CodeInsufficientBalance: insufficientBalance,
	loyalty.CodeIdempotencyMismatch: referenceUsed,
	loyalty.CodeAccrualRuleMissing:  ratioMissing,
	// Another change of the same card, or the first with the reference, is under way.
	loyalty.CodeIdempotencyInProgress: tooManyRequests,
}

// field is an argument of the core as this dialect calls it, with what is said of it:
// words for single codes, and otherwise for all others.
type field struct {
	name      string
	words     map[loyalty.Code]string
	otherwise string
}

const wrongPoints = "Los puntos deben ser un número entero mayor que 0."

// Fields of the requests (spec/pretii.md 3.2 to 3.5) by the core's arguments. A value of
// the wrong type is told what is nearest to it.
var (
	customerFields = map[string]field{
		"firstName": {"nombres", map[loyalty.Code]string{loyalty.CodeTooLong: "El campo nombres es demasiado largo."}, "El campo nombres es obligatorio."},
		"lastName":  {"apellidos", nil, "El campo apellidos es demasiado largo."},
		"email":     {"email", map[loyalty.Code]string{loyalty.CodeRequired: "El campo email es obligatorio."}, "El email no es válido."},
		"phone":     {"telefono", nil, "El teléfono no es válido."},
		"document":  {"documento_de_identidad", nil, "El documento de identidad no es válido."},
	}
	searchFields = map[string]field{
		"search":   {"buscar", map[loyalty.Code]string{loyalty.CodeRequired: "El texto de búsqueda debe tener al menos 2 caracteres."}, "El texto de búsqueda es demasiado largo."},
		"page":     {"pagina", nil, "La página no es válida."},
		"pageSize": {"por_pagina", nil, "La cantidad por página no es válida."},
	}
	deductFields = map[string]field{
		"points":      {"puntos", nil, wrongPoints},
		"reference":   {"referencia", nil, "La referencia no es válida."},
		"description": {"descripcion", nil, "La descripción es demasiado larga."},
		"storeCode":   {"local", nil, "El local no existe."},
	}
	assignFields = map[string]field{
		"points":      {"puntos", map[loyalty.Code]string{loyalty.CodeRequired: "Indique puntos o monto, pero no ambos."}, wrongPoints},
		"amount":      {"monto", nil, "El monto debe ser un número mayor que 0."},
		"spent":       {"monto", nil, "El monto debe ser un número mayor que 0."},
		"reference":   deductFields["reference"],
		"description": deductFields["description"],
		"storeCode":   deductFields["storeCode"],
	}
)

// told turns what was refused of fields into datos_invalidos. Anything that has no word
// in this dialect is a fault: the company's set-up is to be mended.
func told(fields map[string]field, all []*loyalty.Error) error {
	wrong := map[string]string{}
	for _, e := range all {
		f, known := fields[e.Field]
		if !known {
			return fmt.Errorf("the refusal %s of %q has no answer in this dialect", e.Code, e.Field)
		}
		words, particular := f.words[e.Code]
		if !particular {
			words = f.otherwise
		}
		wrong[f.name] = words
	}
	return invalid(wrong)
}

// refusals are those of a payload, their fields without the path that leads to them.
func refusals(errs []*model.UserError) []*loyalty.Error {
	all := make([]*loyalty.Error, len(errs))
	for i, e := range errs {
		all[i] = &loyalty.Error{Code: e.Code}
		if n := len(e.Field); n > 0 {
			all[i].Field = e.Field[n-1]
		}
		for _, p := range e.Params {
			all[i] = all[i].With(p.Name, p.Value)
		}
	}
	return all
}

type errorBody struct {
	Error struct {
		Code       string            `json:"codigo"`
		Message    string            `json:"mensaje"`
		Fields     map[string]string `json:"campos,omitempty"`
		CustomerID string            `json:"cliente_id,omitempty"`
		Balance    *json.Number      `json:"saldo,omitempty"`
	} `json:"error"`
}

func fail(w http.ResponseWriter, p problem) { failWith(w, failure{problem: p}) }

func failWith(w http.ResponseWriter, f failure) {
	if f.problem == tooManyRequests && w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", "1")
	}
	var body errorBody
	body.Error.Code, body.Error.Message, body.Error.Fields = f.code, f.message, f.fields
	body.Error.CustomerID, body.Error.Balance = f.customerID, f.balance
	answer(w, f.status, body)
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
