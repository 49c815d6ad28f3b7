package antcrm

import (
	"slices"
	"testing"

	"sello/loyalty"
)

// setUp are refusals that tell of a company whose set-up does not go with this
// dialect: no caller can do anything about them, and they are answered as faults.
var setUp = []loyalty.Code{
	loyalty.CodeCardTypeNotFound, loyalty.CodeCardTypeArchived, loyalty.CodeNumbersUsedUp, loyalty.CodeAttributeRequired,
	loyalty.CodeAttributeNotReady, loyalty.CodeAmountTooPrecise, loyalty.CodeAmountTooLarge, loyalty.CodeAmountOverLimit,
}

// checked are refusals that are answered by the parameter which they name.
var checked = []loyalty.Code{loyalty.CodeInvalid, loyalty.CodeRequired}

// unreachable are refusals of other operations.
var unreachable = []loyalty.Code{
	loyalty.CodeTooLong, loyalty.CodeTaken, loyalty.CodeNotFound, loyalty.CodeStateConflict,
	// Codes and rewards say how many points; no ticket, staff member, store or CVV is named.
	loyalty.CodeAmountNotPositive, loyalty.CodeAccrualRuleMissing, loyalty.CodeTicketRequired, loyalty.CodeStoreNotFound,
	loyalty.CodeStaffNotFound, loyalty.CodeStaffArchived, loyalty.CodeStaffNoPermission, loyalty.CodeStaffRightMissing, loyalty.CodeCVVWrong,
	loyalty.CodeCVVLocked,
	// The account is looked up by its owner, or opened.
	loyalty.CodeCardNotFound, loyalty.CodeCardNotRechargeable, loyalty.CodeCustomerRequired, loyalty.CodeActiveCardExists,
	loyalty.CodeCardHasCustomer, loyalty.CodeRangeTooLong, loyalty.CodeBalanceLeft, loyalty.CodeCustomerMerged, loyalty.CodeCustomerErased,
	// Other doors, and operations that no path is for.
	loyalty.CodeContactExists, loyalty.CodeContactRace, loyalty.CodeBirthdateRequired, loyalty.CodePasswordTaken,
	loyalty.CodeIdempotencyKeyRequired, loyalty.CodeSignInFailed, loyalty.CodeSessionEnded, loyalty.CodeScopeExceeded,
	loyalty.CodeImportNotFound, loyalty.CodeImportNotFinished, loyalty.CodeNothingToReprocess, loyalty.CodeJobNotFound,
	loyalty.CodeQueueNotFound, loyalty.CodeJobKindNotFound,
	loyalty.CodeHoldNotFound, loyalty.CodeHoldEnded, loyalty.CodeHoldOpen, loyalty.CodeTransferNotAllowed, loyalty.CodeMovementNotFound,
	loyalty.CodeNotReversible, loyalty.CodeReturnTooLarge, loyalty.CodeLinesMismatch, loyalty.CodeLotNotFound, loyalty.CodeLotsNotKept,
	loyalty.CodeNotPending, loyalty.CodePolicyApplying, loyalty.CodeReportRebuilding, loyalty.CodeLedgerCheckRunning,
	loyalty.CodeWebhookURLRefused, loyalty.CodeWebhookLimitReached, loyalty.CodeEventsGone, loyalty.CodeReplayRunning,
	loyalty.CodeAttributeUnknown, loyalty.CodeAttributeInvalid, loyalty.CodeAttributeLimit, loyalty.CodeSegmentNotFound, loyalty.CodeSegmentArchived,
	loyalty.CodeCouponNotFound, loyalty.CodeCouponTypeNotFound, loyalty.CodeCouponTypeArchived, loyalty.CodeCouponConsumed,
	loyalty.CodeCouponVoided, loyalty.CodeCouponNotYetValid, loyalty.CodeCouponExpired, loyalty.CodeCouponCustomerRequired,
	loyalty.CodeCouponOfAnother, loyalty.CodeCouponNotRedeemed, loyalty.CodeCouponBatchNotFound, loyalty.CodeProductNotFound,
	loyalty.CodeRewardCardTypeMismatch, loyalty.CodeRewardClaimNotFound,
	// Terms of wallets: they are held against contacts of tills and what is posted there.
	loyalty.CodeAreaCodeUnsupported, loyalty.CodePhoneLandline, loyalty.CodePhoneBlocked, loyalty.CodeContactQuotaReached,
	loyalty.CodeRedemptionQuotaReached, loyalty.CodeMessageBalanceLow, loyalty.CodePlaceholderUnknown,
}

// One of the two operations only.
var (
	accrueOnly = []loyalty.Code{loyalty.CodeProductCodeNotFound, loyalty.CodeProductCodeUsed, loyalty.CodeProductCodeInactive}
	redeemOnly = []loyalty.Code{
		loyalty.CodeRewardNotFound, loyalty.CodeRewardInactive, loyalty.CodeRewardOutOfStock, loyalty.CodeInsufficientBalance,
		loyalty.CodeCustomerNotFound,
	}
)

// TestAnswersComplete: each code of the core is in a path's table, or on one list with
// the reason why it is not.
func TestAnswersComplete(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]struct {
		table  answers
		others []loyalty.Code
	}{"accumulate": {accumulateAnswers, redeemOnly}, "redeem": {redeemAnswers, accrueOnly}} {
		for _, code := range loyalty.Codes() {
			places := 0
			for _, list := range [][]loyalty.Code{setUp, checked, unreachable, path.others} {
				if slices.Contains(list, code) {
					places++
				}
			}
			if _, ok := path.table[code]; ok {
				places++
			}
			if places != 1 {
				t.Errorf("%s: code %s has %d places, want one: an answer, or a list with the reason why there is none", name, code, places)
			}
		}
	}
}
