package wallet

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sello/graph/model"
	"sello/loyalty"
)

// unreachable are the codes that the call behind a table cannot refuse with,
// beside those of other areas.
var unreachable = []loyalty.Code{
	// Codes of objects that no method here names.
	loyalty.CodeStoreNotFound, loyalty.CodeCustomerNotFound, loyalty.CodeNotFound, loyalty.CodeCardNotRechargeable,
	loyalty.CodeSignInFailed, loyalty.CodeSessionEnded, loyalty.CodeScopeExceeded, loyalty.CodeImportNotFound,
	loyalty.CodeImportNotFinished, loyalty.CodeNothingToReprocess, loyalty.CodeJobNotFound, loyalty.CodeQueueNotFound,
	loyalty.CodeStateConflict,
	// The shim always gives a key.
	loyalty.CodeIdempotencyKeyRequired,
	// A card that stays locked for seconds has no documented code: it is answered as
	// a fault, after which nothing was written.
	loyalty.CodeIdempotencyInProgress,
	// A wallet without a rule gives no points by itself: the documents know no such
	// wallet, it is answered as a fault.
	loyalty.CodeAccrualRuleMissing,
	// No method here names a hold, a transfer, a return, a lot or a line, opens a card
	// of a chosen number, or gives a CVV: a wallet that asks for one is not for tills.
	loyalty.CodeCVVWrong, loyalty.CodeHoldNotFound, loyalty.CodeHoldEnded, loyalty.CodeHoldOpen, loyalty.CodeTransferNotAllowed,
	loyalty.CodeMovementNotFound, loyalty.CodeNotReversible, loyalty.CodeReturnTooLarge, loyalty.CodeLinesMismatch,
	loyalty.CodeLotNotFound, loyalty.CodeLotsNotKept, loyalty.CodeNotPending, loyalty.CodePolicyApplying,
	loyalty.CodeCustomerRequired, loyalty.CodeActiveCardExists, loyalty.CodeCardHasCustomer, loyalty.CodeNumbersUsedUp,
	// Reports and webhooks are the dashboards'.
	loyalty.CodeRangeTooLong, loyalty.CodeReportRebuilding, loyalty.CodeLedgerCheckRunning, loyalty.CodeWebhookURLRefused,
	loyalty.CodeWebhookLimitReached, loyalty.CodeEventsGone, loyalty.CodeReplayRunning,
	// Coupons, serial codes and rewards are no method's here.
	loyalty.CodeCouponNotFound, loyalty.CodeCouponTypeNotFound, loyalty.CodeCouponTypeArchived, loyalty.CodeCouponConsumed,
	loyalty.CodeCouponVoided, loyalty.CodeCouponNotYetValid, loyalty.CodeCouponExpired, loyalty.CodeCouponCustomerRequired,
	loyalty.CodeCouponOfAnother, loyalty.CodeCouponNotRedeemed, loyalty.CodeCouponBatchNotFound, loyalty.CodeProductNotFound,
	loyalty.CodeProductCodeNotFound, loyalty.CodeProductCodeUsed, loyalty.CodeProductCodeInactive, loyalty.CodeRewardNotFound,
	loyalty.CodeRewardInactive, loyalty.CodeRewardOutOfStock, loyalty.CodeRewardCardTypeMismatch, loyalty.CodeRewardClaimNotFound,
	// Of customers' own operations; a contact's attributes and segments are not the till's.
	loyalty.CodeCustomerMerged, loyalty.CodeCustomerErased, loyalty.CodeAttributeUnknown, loyalty.CodeAttributeInvalid,
	loyalty.CodeAttributeRequired, loyalty.CodeAttributeNotReady, loyalty.CodeAttributeLimit, loyalty.CodeSegmentNotFound,
	loyalty.CodeSegmentArchived,
	loyalty.CodeBalanceLeft, loyalty.CodeCVVLocked, loyalty.CodeJobKindNotFound,
	loyalty.CodeCustomerBlocked,
	// Of contacts that are registered, and of the dashboards' texts.
	loyalty.CodeAreaCodeUnsupported, loyalty.CodePhoneLandline, loyalty.CodeContactQuotaReached, loyalty.CodePlaceholderUnknown,
}

// ofSales are codes that only a sale is refused with.
var ofSales = []loyalty.Code{loyalty.CodeRedemptionQuotaReached}

// movementChecked are codes that the shim's own checks of parameters keep from a
// posting.
var movementChecked = []loyalty.Code{
	loyalty.CodeInvalid, loyalty.CodeRequired, loyalty.CodeTooLong, loyalty.CodeTaken, loyalty.CodeAmountNotPositive,
	loyalty.CodeContactExists, loyalty.CodeContactRace, loyalty.CodeBirthdateRequired, loyalty.CodePasswordTaken,
	// A sale answers it by how its ticket is missing; an adjustment is no sale.
	loyalty.CodeTicketRequired,
}

// TestAnswersComplete: each code of the core is in a posting's table or on a list
// with the reason why it cannot come.
func TestAnswersComplete(t *testing.T) {
	t.Parallel()

	for name, table := range map[string]answers{"sale": saleAnswers, "balance update": balanceUpdateAnswers} {
		for _, code := range loyalty.Codes() {
			_, has := table.refusals[cause{code: code}]
			reason := slices.Contains(unreachable, code) || slices.Contains(movementChecked, code) ||
				name != "sale" && slices.Contains(ofSales, code)
			if has == reason {
				t.Errorf("%s: code %s is in the table: %v, on a list: %v", name, code, has, reason)
			}
		}
	}
}

func TestAnswersOf(t *testing.T) {
	t.Parallel()

	refused := func(code loyalty.Code, field ...string) []*model.UserError {
		return []*model.UserError{{Code: code, Field: field}}
	}
	for _, tt := range []struct {
		name    string
		refused []*model.UserError
		want    string
	}{
		{"nothing", nil, ""},
		{"by code", refused(loyalty.CodeContactExists, "input", "phone"), "wallet_manager_08"},
		{"by code without a field", refused(loyalty.CodeContactExists), "wallet_manager_08"},
		{"by field", refused(loyalty.CodeInvalid, "input", "birthdate"), "wallet_manager_09"},
		{"by another field", refused(loyalty.CodeInvalid, "input", "name"), "wallet_manager_05"},
	} {
		err := contactAddAnswers.of(tt.refused)
		got := ""
		if a, ok := errors.AsType[answer](err); ok {
			got = a.code
		}
		if got != tt.want {
			t.Errorf("%s: got %q (%v), want %q", tt.name, got, err, tt.want)
		}
	}
	err := contactAddAnswers.of(refused(loyalty.CodeJobNotFound))
	if _, isAnswer := errors.AsType[answer](err); err == nil || isAnswer {
		t.Errorf("a code without a row: got %v, want a fault", err)
	}
}

// TestAnswersWordForWord holds each answer of a table against the fixtures, which
// are copied from the document.
func TestAnswersWordForWord(t *testing.T) {
	t.Parallel()

	documented := map[string]map[string]bool{}
	paths, err := filepath.Glob("testdata/fixtures/*/response.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("fixtures: %d, %v", len(paths), err)
	}
	field := regexp.MustCompile(`"(code|message)": "([^"]*)"`)
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]string{}
		for _, m := range field.FindAllStringSubmatch(string(data), -1) {
			found[m[1]] = m[2]
		}
		if documented[found["code"]] == nil {
			documented[found["code"]] = map[string]bool{}
		}
		documented[found["code"]][found["message"]] = true
	}
	all := []answer{unauthorized, contactAddFault, contactReopenFault, employeeUnreadable, employeeInvalid, employeeFault, employeeAddFault, employeeDisableFault}
	for _, table := range []answers{contactAddAnswers, contactGetAnswers, saleAnswers, balanceUpdateAnswers, employeeAddAnswers, employeeDisableAnswers} {
		for _, a := range table.parameters {
			all = append(all, a)
		}
		for _, a := range table.refusals {
			all = append(all, a)
		}
	}
	for _, a := range all {
		if !a.outside && !documented[a.code][a.message] {
			t.Errorf("answer %s %q is in no fixture, which know %v", a.code, a.message, documented[a.code])
		}
		if strings.TrimSpace(a.message) == "" {
			t.Errorf("answer %s has no message", a.code)
		}
	}
}
