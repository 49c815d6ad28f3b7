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

	// Ledger: limits, holds, transfers, returns, lots and the life of cards.

	// CodeAmountOverLimit: more than the card type lets one posting move.
	CodeAmountOverLimit Code = "AMOUNT_OVER_LIMIT"
	// CodeCardNotValid: today is outside the card's validity.
	CodeCardNotValid Code = "CARD_NOT_VALID"
	// CodeCVVWrong: the card type asks for the card's CVV, and it is missing or another.
	CodeCVVWrong     Code = "CVV_WRONG"
	CodeHoldNotFound Code = "HOLD_NOT_FOUND"
	// CodeHoldEnded: the hold was captured or released, or its time was up.
	CodeHoldEnded Code = "HOLD_ENDED"
	// CodeHoldOpen: a hold is open on the card.
	CodeHoldOpen Code = "HOLD_OPEN"
	// CodeTransferNotAllowed: the card type's transfer policy forbids it.
	CodeTransferNotAllowed Code = "TRANSFER_NOT_ALLOWED"
	CodeMovementNotFound   Code = "MOVEMENT_NOT_FOUND"
	// CodeNotReversible: a movement of this kind is not taken back.
	CodeNotReversible Code = "NOT_REVERSIBLE"
	// CodeReturnTooLarge: more than is left of the movement or the line.
	CodeReturnTooLarge Code = "RETURN_TOO_LARGE"
	// CodeLinesMismatch: the lines do not add up, or name one that is not there.
	CodeLinesMismatch Code = "LINES_MISMATCH"
	CodeLotNotFound   Code = "LOT_NOT_FOUND"
	// CodeLotsNotKept: the card type's points do not end, so there are no lots.
	CodeLotsNotKept Code = "LOTS_NOT_KEPT"
	// CodeNotPending: the points are usable already, or taken back.
	CodeNotPending Code = "NOT_PENDING"
	// CodePolicyApplying: an earlier change of the expiry policy still runs.
	CodePolicyApplying Code = "POLICY_APPLYING"
	// CodeCustomerRequired: enabled cards of this type belong to a customer.
	CodeCustomerRequired Code = "CUSTOMER_REQUIRED"
	// CodeActiveCardExists: the customer has an enabled card of this type.
	CodeActiveCardExists Code = "ACTIVE_CARD_EXISTS"
	// CodeCardHasCustomer: the card is another customer's.
	CodeCardHasCustomer Code = "CARD_HAS_CUSTOMER"
	// CodeNumbersUsedUp: no number is left in the card type's ranges.
	CodeNumbersUsedUp Code = "NUMBERS_USED_UP"

	// report
	// CodeRangeTooLong: more days are asked for than one answer holds.
	CodeRangeTooLong Code = "RANGE_TOO_LONG"
	// CodeReportRebuilding: the figures are being counted anew already.
	CodeReportRebuilding Code = "REPORT_REBUILDING"
	// CodeLedgerCheckRunning: the books are being checked already.
	CodeLedgerCheckRunning Code = "LEDGER_CHECK_RUNNING"
	// Webhooks.

	// CodeWebhookURLRefused: the address is not https, or not on the public internet.
	CodeWebhookURLRefused Code = "WEBHOOK_URL_REFUSED"
	// CodeWebhookLimitReached: the company has as many webhooks as it may have.
	CodeWebhookLimitReached Code = "WEBHOOK_LIMIT_REACHED"
	// CodeEventsGone: events behind the place may no longer be kept.
	CodeEventsGone Code = "EVENTS_GONE"
	// CodeReplayRunning: the webhook's last replay is still being queued.
	CodeReplayRunning Code = "REPLAY_RUNNING"
	// Customers, their attributes and segments.

	// CodeCustomerMerged: the customer is another one now, "intoId".
	CodeCustomerMerged Code = "CUSTOMER_MERGED"
	// CodeCustomerErased: the customer's personal data was erased.
	CodeCustomerErased Code = "CUSTOMER_ERASED"
	// CodeAttributeUnknown: the company has not defined this attribute, or has
	// archived it.
	CodeAttributeUnknown Code = "ATTRIBUTE_UNKNOWN"
	// CodeAttributeInvalid: the value is not of the attribute's type.
	CodeAttributeInvalid Code = "ATTRIBUTE_INVALID"
	// CodeAttributeRequired: the attribute has to have a value.
	CodeAttributeRequired Code = "ATTRIBUTE_REQUIRED"
	// CodeAttributeNotReady: earlier customers' values are still being indexed.
	CodeAttributeNotReady Code = "ATTRIBUTE_NOT_READY"
	// CodeAttributeLimit: a company has so many attributes at most.
	CodeAttributeLimit  Code = "ATTRIBUTE_LIMIT"
	CodeSegmentNotFound Code = "SEGMENT_NOT_FOUND"
	CodeSegmentArchived Code = "SEGMENT_ARCHIVED"
	// Coupons.
	CodeCouponNotFound     Code = "COUPON_NOT_FOUND"
	CodeCouponTypeNotFound Code = "COUPON_TYPE_NOT_FOUND"
	CodeCouponTypeArchived Code = "COUPON_TYPE_ARCHIVED"
	// CodeCouponConsumed: all uses of the coupon are used up.
	CodeCouponConsumed Code = "COUPON_CONSUMED"
	CodeCouponVoided   Code = "COUPON_VOIDED"
	// CodeCouponNotYetValid: its first day is still to come.
	CodeCouponNotYetValid Code = "COUPON_NOT_YET_VALID"
	// CodeCouponExpired: its last day has passed.
	CodeCouponExpired Code = "COUPON_EXPIRED"
	// CodeCouponCustomerRequired: coupons of the type are somebody's, and nobody was
	// named.
	CodeCouponCustomerRequired Code = "COUPON_CUSTOMER_REQUIRED"
	// CodeCouponOfAnother: the coupon is another customer's.
	CodeCouponOfAnother Code = "COUPON_OF_ANOTHER_CUSTOMER"
	// CodeCouponNotRedeemed: the coupon has no redemption with the reference.
	CodeCouponNotRedeemed   Code = "COUPON_NOT_REDEEMED"
	CodeCouponBatchNotFound Code = "COUPON_BATCH_NOT_FOUND"

	// Products and rewards.
	CodeProductNotFound     Code = "PRODUCT_NOT_FOUND"
	CodeProductCodeNotFound Code = "PRODUCT_CODE_NOT_FOUND"
	// CodeProductCodeUsed: somebody has used the serial code.
	CodeProductCodeUsed Code = "PRODUCT_CODE_USED"
	// CodeProductCodeInactive: the serial code is blocked or past its last day, or
	// its product is inactive.
	CodeProductCodeInactive Code = "PRODUCT_CODE_INACTIVE"
	CodeRewardNotFound      Code = "REWARD_NOT_FOUND"
	// CodeRewardInactive: the reward is disabled or outside its days.
	CodeRewardInactive   Code = "REWARD_INACTIVE"
	CodeRewardOutOfStock Code = "REWARD_OUT_OF_STOCK"
	// CodeRewardCardTypeMismatch: the reward is paid from cards of another type.
	CodeRewardCardTypeMismatch Code = "REWARD_CARD_TYPE_MISMATCH"
	CodeRewardClaimNotFound    Code = "REWARD_CLAIM_NOT_FOUND"
	// Cards: what their life refuses.

	// CodeBalanceLeft: something is on the card, or still to come.
	CodeBalanceLeft Code = "BALANCE_LEFT"
	// CodeCVVLocked: too many CVVs were wrong; the card takes none for a while.
	CodeCVVLocked Code = "CVV_LOCKED"
	// Jobs.

	// CodeJobKindNotFound: no job of that kind can be asked for.
	CodeJobKindNotFound Code = "JOB_KIND_NOT_FOUND"

	// CodeCustomerBlocked: the customer is inactive.
	CodeCustomerBlocked Code = "CUSTOMER_BLOCKED"

	// Plans, phones and messages.

	// CodeAreaCodeUnsupported: the phone's area code is not one that the company takes.
	CodeAreaCodeUnsupported Code = "AREA_CODE_UNSUPPORTED"
	// CodePhoneLandline: the phone is in a range of landlines.
	CodePhoneLandline Code = "PHONE_LANDLINE"
	// CodePhoneBlocked: the phone is on the company's blacklist.
	CodePhoneBlocked Code = "PHONE_BLOCKED"
	// CodeContactQuotaReached: the plan's contacts are used up.
	CodeContactQuotaReached Code = "CONTACT_QUOTA_REACHED"
	// CodeRedemptionQuotaReached: the plan's redemptions of this period are used up.
	CodeRedemptionQuotaReached Code = "REDEMPTION_QUOTA_REACHED"
	// CodeMessageBalanceLow: the company's prepaid balance is below a message's price.
	CodeMessageBalanceLow Code = "MESSAGE_BALANCE_LOW"
	// CodePlaceholderUnknown: a text has a placeholder that nothing is put in for.
	CodePlaceholderUnknown Code = "PLACEHOLDER_UNKNOWN"
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
		// Ledger.
		CodeAmountOverLimit, CodeCardNotValid, CodeCVVWrong, CodeHoldNotFound, CodeHoldEnded, CodeHoldOpen, CodeTransferNotAllowed,
		CodeMovementNotFound, CodeNotReversible, CodeReturnTooLarge, CodeLinesMismatch, CodeLotNotFound, CodeLotsNotKept,
		CodeNotPending, CodePolicyApplying, CodeCustomerRequired, CodeActiveCardExists, CodeCardHasCustomer, CodeNumbersUsedUp,
		CodeRangeTooLong, CodeReportRebuilding, CodeLedgerCheckRunning, // report
		// Webhooks.
		CodeWebhookURLRefused, CodeWebhookLimitReached, CodeEventsGone, CodeReplayRunning,
		// Customers, their attributes and segments.
		CodeCustomerMerged, CodeCustomerErased, CodeAttributeUnknown, CodeAttributeInvalid, CodeAttributeRequired,
		CodeAttributeNotReady, CodeAttributeLimit, CodeSegmentNotFound, CodeSegmentArchived,
		// Coupons.
		CodeCouponNotFound, CodeCouponTypeNotFound, CodeCouponTypeArchived, CodeCouponConsumed, CodeCouponVoided,
		CodeCouponNotYetValid, CodeCouponExpired, CodeCouponCustomerRequired, CodeCouponOfAnother, CodeCouponNotRedeemed,
		CodeCouponBatchNotFound,
		// Products and rewards.
		CodeProductNotFound, CodeProductCodeNotFound, CodeProductCodeUsed, CodeProductCodeInactive, CodeRewardNotFound,
		CodeRewardInactive, CodeRewardOutOfStock, CodeRewardCardTypeMismatch, CodeRewardClaimNotFound,
		// Cards.
		CodeBalanceLeft, CodeCVVLocked,
		// Jobs.
		CodeJobKindNotFound,
		// People named by phone and e-mail.
		CodeCustomerBlocked,
		// Plans, phones and messages.
		CodeAreaCodeUnsupported, CodePhoneLandline, CodePhoneBlocked, CodeContactQuotaReached, CodeRedemptionQuotaReached,
		CodeMessageBalanceLow, CodePlaceholderUnknown,
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
