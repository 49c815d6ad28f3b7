// Package loyalty is the vocabulary that every aggregate below it shares:
// refusals and their codes, and the form in which names are searched.
package loyalty

import (
	"errors"
	"maps"
)

// Code names a refusal. Codes are added, never renamed: GraphQL shows them as
// UserErrorCode and each legacy dialect maps them by a table of its own.
type Code string

// The closed set of refusals.
const (
	// CodeInvalid: a value cannot be read or breaks a rule of its field.
	CodeInvalid Code = "INVALID"
	// CodeRequired: a value is missing or blank.
	CodeRequired Code = "REQUIRED"
	// CodeTooLong: a text is longer than its field holds.
	CodeTooLong Code = "TOO_LONG"
	// CodeTaken: the value is unique and somebody else has it.
	CodeTaken Code = "TAKEN"
	// CodeNotFound: no such object in the company.
	CodeNotFound Code = "NOT_FOUND"
	// CodeStateConflict: the object's state does not allow the operation.
	CodeStateConflict Code = "STATE_CONFLICT"

	// CodeAmountNotPositive: the amount has to be above zero (or not zero, where
	// the sign says the direction).
	CodeAmountNotPositive Code = "AMOUNT_NOT_POSITIVE"
	// CodeAmountTooPrecise: more decimals than the card type keeps.
	CodeAmountTooPrecise Code = "AMOUNT_TOO_PRECISE"
	// CodeAmountTooLarge: the amount, or the balance after it, has more digits
	// than the ledger holds.
	CodeAmountTooLarge Code = "AMOUNT_TOO_LARGE"
	// CodeAccrualRuleMissing: an amount was to be computed from what was spent
	// and the card type has no percentage or ratio.
	CodeAccrualRuleMissing Code = "ACCRUAL_RULE_MISSING"

	CodeCardNotFound        Code = "CARD_NOT_FOUND"
	CodeCardNotEnabled      Code = "CARD_NOT_ENABLED"
	CodeCardTypeNotFound    Code = "CARD_TYPE_NOT_FOUND"
	CodeCardTypeArchived    Code = "CARD_TYPE_ARCHIVED"
	CodeCardNotRechargeable Code = "CARD_NOT_RECHARGEABLE"
	// CodeInsufficientBalance: less is available than the posting takes.
	CodeInsufficientBalance Code = "INSUFFICIENT_BALANCE"
	// CodeTicketRequired: sales on this card type name their ticket.
	CodeTicketRequired Code = "TICKET_REQUIRED"
	CodeStoreNotFound  Code = "STORE_NOT_FOUND"
	CodeStaffNotFound  Code = "STAFF_NOT_FOUND"
	CodeStaffArchived  Code = "STAFF_ARCHIVED"
	// CodeStaffNoPermission: the staff member has no permission on the card type.
	CodeStaffNoPermission Code = "STAFF_NO_PERMISSION"
	// CodeStaffRightMissing: there is a permission, without the right needed.
	CodeStaffRightMissing Code = "STAFF_RIGHT_MISSING"

	CodeCustomerNotFound Code = "CUSTOMER_NOT_FOUND"
	// CodeContactExists: the phone is an active contact of the wallet.
	CodeContactExists Code = "CONTACT_EXISTS"
	// CodeContactRace: another request registered the contact at the same moment.
	CodeContactRace       Code = "CONTACT_RACE"
	CodeBirthdateRequired Code = "BIRTHDATE_REQUIRED"
	// CodePasswordTaken: an active staff member has the same password.
	CodePasswordTaken Code = "PASSWORD_TAKEN"

	// CodeIdempotencyKeyRequired: the operation moves value and came without a key.
	CodeIdempotencyKeyRequired Code = "IDEMPOTENCY_KEY_REQUIRED"
	// CodeIdempotencyMismatch: the key was used for another request.
	CodeIdempotencyMismatch Code = "IDEMPOTENCY_MISMATCH"
	// CodeIdempotencyInProgress: the first request with the key is still running.
	CodeIdempotencyInProgress Code = "IDEMPOTENCY_IN_PROGRESS"

	// CodeSignInFailed: company, e-mail and password do not go together.
	CodeSignInFailed Code = "SIGN_IN_FAILED"
	// CodeSessionEnded: the refresh token is unknown, used before, or expired.
	CodeSessionEnded Code = "SESSION_ENDED"
	// CodeScopeExceeded: nobody hands out a scope they do not have.
	CodeScopeExceeded Code = "SCOPE_EXCEEDED"

	CodeImportNotFound Code = "IMPORT_NOT_FOUND"
	// CodeImportNotFinished: the import still runs.
	CodeImportNotFinished Code = "IMPORT_NOT_FINISHED"
	// CodeNothingToReprocess: no row of the import failed.
	CodeNothingToReprocess Code = "NOTHING_TO_REPROCESS"
	CodeJobNotFound        Code = "JOB_NOT_FOUND"
	CodeQueueNotFound      Code = "QUEUE_NOT_FOUND"
)

// Codes lists every code: tests hold the GraphQL enum, the messages in all
// languages and the legacy tables against it.
func Codes() []Code {
	return []Code{
		CodeInvalid, CodeRequired, CodeTooLong, CodeTaken, CodeNotFound, CodeStateConflict,
		CodeAmountNotPositive, CodeAmountTooPrecise, CodeAmountTooLarge, CodeAccrualRuleMissing,
		CodeCardNotFound, CodeCardNotEnabled, CodeCardTypeNotFound, CodeCardTypeArchived, CodeCardNotRechargeable,
		CodeInsufficientBalance, CodeTicketRequired, CodeStoreNotFound, CodeStaffNotFound, CodeStaffArchived,
		CodeStaffNoPermission, CodeStaffRightMissing, CodeCustomerNotFound, CodeContactExists, CodeContactRace,
		CodeBirthdateRequired, CodePasswordTaken, CodeIdempotencyKeyRequired, CodeIdempotencyMismatch,
		CodeIdempotencyInProgress, CodeSignInFailed, CodeSessionEnded, CodeScopeExceeded, CodeImportNotFound,
		CodeImportNotFinished, CodeNothingToReprocess, CodeJobNotFound, CodeQueueNotFound,
	}
}

// Error is a refusal: the request was understood and its sender can mend it.
// Anything else that fails is a fault and carries no Error.
type Error struct {
	Code Code
	// Field is the operation's argument at fault, in GraphQL's spelling, "" if
	// none is. The edge adds the path that leads to it.
	Field string
	// Params are facts for the message or the caller, such as "available".
	Params map[string]string
}

// Error names code and field, for logs and tests; callers get words at the edge.
func (e *Error) Error() string {
	if e.Field == "" {
		return "refused: " + string(e.Code)
	}
	return "refused: " + string(e.Code) + " (" + e.Field + ")"
}

// Refuse makes a refusal of a field.
func Refuse(code Code, field string) *Error { return &Error{Code: code, Field: field} }

// With returns the refusal with one more fact.
func (e *Error) With(name, value string) *Error {
	params := maps.Clone(e.Params)
	if params == nil {
		params = map[string]string{}
	}
	params[name] = value
	return &Error{Code: e.Code, Field: e.Field, Params: params}
}

// CodeOf is the code of a refusal, "" for faults and nil.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}
