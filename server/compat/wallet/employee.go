package wallet

import (
	"context"
	"net/http"
	"strings"
	"unicode/utf8"

	"sello/graph/model"
	"sello/loyalty"
	"sello/loyalty/company"
)

// Answers of /employee/* that stand outside their tables.
var (
	employeeUnreadable = answer{code: "err_toolusers_01", message: "Error al procesar la petición"}
	employeeInvalid    = answer{code: "err_toolusers_02", message: "Parámetro inválido."}

	employeeFault        = answer{code: "err_toolusers_01", message: "Error al procesar la petición", status: http.StatusInternalServerError}
	employeeAddFault     = answer{code: "err_toolusers_04", message: "Error al crear el usuario.", status: http.StatusInternalServerError}
	employeeDisableFault = answer{code: "err_toolusers_04", message: "Error al archivar el usuario.", status: http.StatusInternalServerError}
)

// employeeAddAnswers is spec/wallet.md 3.9, word for word: whatever is wrong with
// a parameter by itself is employeeInvalid.
var employeeAddAnswers = answers{
	refusals: map[cause]answer{
		{code: loyalty.CodeInvalid}:       employeeInvalid,
		{code: loyalty.CodeRequired}:      employeeInvalid,
		{code: loyalty.CodeTooLong}:       employeeInvalid,
		{loyalty.CodeTaken, "name"}:       {code: "err_toolusers_03", message: "Ya existe un usuario con el mismo nombre o password"},
		{code: loyalty.CodePasswordTaken}: {code: "err_toolusers_03", message: "Ya existe un usuario con el mismo nombre o password"},
		{loyalty.CodeTaken, "phone"}:      {code: "err_toolusers_04", message: "Error al crear el usuario."},

		{code: loyalty.CodeIdempotencyMismatch}: idempotencyConflict,
	},
}

const (
	maxEmployeeName = 100
	// A password has 4 to 72 bytes.
	minPassword, maxPassword = 4, 72
)

var employeeTypes = map[string]company.Role{"cajero": company.Cashier, "gerente": company.Manager}

// employeeAdded is the answer of a new collaborator.
type employeeAdded struct {
	Success        bool   `json:"success"`
	Message        string `json:"message"`
	CollaboratorID int64  `json:"collaboratorId"`
	Status         int    `json:"status"`
	Code           string `json:"code"`
}

// employeeAdd answers POST /employee/add (spec/wallet.md 3.9).
func (h *handler) employeeAdd(w http.ResponseWriter, r *http.Request, in form) error {
	input, err := readEmployee(in)
	if err != nil {
		return err
	}
	input.IdempotencyKey, input.IdempotencyHours = headerKey(r)
	payload, err := h.graph.Mutation().StaffCreate(r.Context(), input)
	if err != nil {
		return &fault{h.employeeFault(r.Context(), employeeAddFault), err}
	}
	if err := employeeAddAnswers.of(payload.UserErrors); err != nil {
		return err
	}
	replayed(w, payload.Replayed)
	send(w, http.StatusOK, employeeAdded{
		Success: true, Message: "Usuario creado con éxito.", CollaboratorID: payload.StaffMember.Number,
		Status: http.StatusOK, Code: "toolusers_01",
	})
	return nil
}

// employeeFault is the answer to a fault: the write's own, unless not even a
// collaborator can be read, so that no write was tried.
func (h *handler) employeeFault(ctx context.Context, write answer) answer {
	if _, err := h.graph.Query().StaffMembers(ctx, new(1), nil); err != nil {
		return employeeFault
	}
	return write
}

func readEmployee(in form) (model.StaffCreateInput, error) {
	if in.unreadable {
		return model.StaffCreateInput{}, employeeUnreadable
	}
	kind, _ := in.get("type")
	role, known := employeeTypes[strings.ToLower(kind)]
	name, _ := in.get("employee_name")
	store, _ := in.get("business_name")
	number, _ := in.get("number")
	phone, isPhone := nationalPhone(number)
	password := in.raw("password")
	_, noPassword := in.get("password")
	if !known || !named(name) || !named(store) || !isPhone ||
		noPassword != 0 || len(password) < minPassword || len(password) > maxPassword {
		return model.StaffCreateInput{}, employeeInvalid
	}
	return model.StaffCreateInput{Name: name, Phone: phone, Role: role, StoreName: &store, Password: password}, nil
}

// named reports a name of 1 to 100 characters.
func named(name string) bool {
	return name != "" && utf8.RuneCountInString(name) <= maxEmployeeName
}

// employeeDisableAnswers is spec/wallet.md 3.10, word for word.
var employeeDisableAnswers = answers{
	refusals: map[cause]answer{
		{code: loyalty.CodeStaffNotFound}: {code: "err_toolusers_04", message: "Error al archivar el usuario."},
		{code: loyalty.CodeStaffArchived}: {code: "err_toolusers_04", message: "Error al archivar el usuario."},

		{code: loyalty.CodeIdempotencyMismatch}: idempotencyConflict,
	},
}

// employeeDisable answers POST /employee/disable (spec/wallet.md 3.10).
func (h *handler) employeeDisable(w http.ResponseWriter, r *http.Request, in form) error {
	if in.unreadable {
		return employeeUnreadable
	}
	number, _ := in.get("number")
	phone, ok := nationalPhone(number)
	if !ok {
		return employeeInvalid
	}
	input := model.StaffArchiveInput{Phone: &phone}
	input.IdempotencyKey, input.IdempotencyHours = headerKey(r)
	payload, err := h.graph.Mutation().StaffArchive(r.Context(), input)
	if err != nil {
		return &fault{h.employeeFault(r.Context(), employeeDisableFault), err}
	}
	if err := employeeDisableAnswers.of(payload.UserErrors); err != nil {
		return err
	}
	replayed(w, payload.Replayed)
	done(w, "toolusers_01", "Se archivó correctamente el usuario.")
	return nil
}
