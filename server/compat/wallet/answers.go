package wallet

import (
	"fmt"
	"net/http"

	"sello/graph/model"
	"sello/loyalty"
)

// answer is a failure as the tills know it: code and message word for word
// (spec/wallet.md 2.3, 2.4 and the tables of 3). As an error it ends a method.
type answer struct {
	code, message string
	// status is the body's: the class of the outcome; 400 if zero.
	status int
	// outside the documented codes the HTTP status is the body's; all others are
	// answered with HTTP 200 (spec/wallet.md 2.1).
	outside bool
}

// Error is the code, for logs and tests.
func (a answer) Error() string { return a.code }

// Answers that are the same for every method.
var (
	unauthorized = answer{code: "auth_01", message: "Usuario no autorizado", status: http.StatusUnauthorized}

	notFound         = answer{"not_found", "Recurso no encontrado", http.StatusNotFound, true}
	methodNotAllowed = answer{"method_not_allowed", "Método no permitido", http.StatusMethodNotAllowed, true}
	requestTooLarge  = answer{"request_too_large", "La petición es demasiado grande", http.StatusRequestEntityTooLarge, true}
	tooManyRequests  = answer{"rate_limit", "Demasiadas solicitudes", http.StatusTooManyRequests, true}
	internalError    = answer{"internal_error", "Error al procesar la petición", http.StatusInternalServerError, true}
	// idempotencyConflict is spec/wallet.md 7.
	idempotencyConflict = answer{"idempotency_conflict", "La llave de idempotencia ya fue usada con otros datos", http.StatusConflict, true}
)

// problem is what is wrong with a parameter by itself (spec/wallet.md 3.2).
type problem int

const (
	// absent: not in the body, or of zero length.
	absent problem = iota + 1
	// blank: white space only. Without a row of its own it is answered as absent.
	blank
	// malformed: cannot be read as what it should be.
	malformed
	// unusable: can be read, and is out of range, too long or an unknown option.
	unusable
)

// parameter is a parameter with a problem.
type parameter struct {
	name string
	problem
}

// cause is a refusal of the core: its code, and the argument at fault where one
// code has several answers ("" for all others).
type cause struct {
	code  loyalty.Code
	field string
}

// answers is one method's table of the spec: the parameters' rows and those of
// the state that the core decides on.
type answers struct {
	parameters map[parameter]answer
	refusals   map[cause]answer
}

// problem is the answer to a parameter's problem.
func (t answers) problem(name string, p problem) answer {
	if a, ok := t.parameters[parameter{name, p}]; ok || p != blank {
		return a
	}
	return t.parameters[parameter{name, absent}]
}

// of is the answer to the core's refusals: nil without any. A refusal that the
// document has no code for is a fault.
func (t answers) of(refused []*model.UserError) error {
	if len(refused) == 0 {
		return nil
	}
	first := refused[0]
	field := ""
	if n := len(first.Field); n > 0 {
		field = first.Field[n-1]
	}
	if a, ok := t.refusals[cause{first.Code, field}]; ok {
		return a
	}
	if a, ok := t.refusals[cause{code: first.Code}]; ok {
		return a
	}
	return fmt.Errorf("the refusal %s of %q has no answer in this dialect", first.Code, field)
}
