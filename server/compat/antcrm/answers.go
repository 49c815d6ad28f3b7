package antcrm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"

	"sello/graph/model"
	"sello/loyalty"
)

// answer is a failure as the clients know it, word for word (spec/antcrm.md 2.1). As
// an error it ends a call.
type answer struct {
	status        int
	name, message string
}

// Error is the name, for logs and tests.
func (a answer) Error() string { return a.name }

// The answers of spec/antcrm.md 2.1, in its order.
var (
	unauthorized           = answer{http.StatusUnauthorized, "unauthorized", "Khóa API không hợp lệ."}
	invalidJSON            = answer{http.StatusBadRequest, "invalid_json", "Dữ liệu JSON không hợp lệ."}
	accumulateCodeRequired = answer{http.StatusBadRequest, "code_required", "Thiếu mã tích lũy (code)."}
	redeemCodeRequired     = answer{http.StatusBadRequest, "code_required", "Thiếu mã phần quà (code)."}
	dataRequired           = answer{http.StatusBadRequest, "data_required", "Thiếu thông tin khách hàng (data)."}
	contactRequired        = answer{http.StatusBadRequest, "contact_required", "Cần ít nhất một số điện thoại hoặc email của khách hàng."}
	codeNotFound           = answer{http.StatusOK, "code_not_found", "Mã tích lũy không tồn tại."}
	codeInactive           = answer{http.StatusOK, "code_inactive", "Mã tích lũy đã hết hạn hoặc bị khóa."}
	codeUsed               = answer{http.StatusOK, "code_used", "Mã tích lũy đã được sử dụng."}
	contactNotFound        = answer{http.StatusOK, "contact_not_found", "Không tìm thấy khách hàng."}
	contactBlocked         = answer{http.StatusOK, "contact_blocked", "Khách hàng đã bị khóa."}
	giftNotFound           = answer{http.StatusOK, "gift_not_found", "Mã phần quà không tồn tại."}
	giftInactive           = answer{http.StatusOK, "gift_inactive", "Phần quà không còn hiệu lực."}
	giftOutOfStock         = answer{http.StatusOK, "gift_out_of_stock", "Phần quà đã hết."}
	notEnoughPoints        = answer{http.StatusOK, "not_enough_points", "Khách hàng không đủ điểm để đổi quà."}
	idempotencyConflict    = answer{http.StatusConflict, "idempotency_conflict", "Khóa idempotency đã được dùng với dữ liệu khác."}
	notFound               = answer{http.StatusNotFound, "not_found", "Không tìm thấy tài nguyên."}
	methodNotAllowed       = answer{http.StatusMethodNotAllowed, "method_not_allowed", "Phương thức không được hỗ trợ."}
	requestTooLarge        = answer{http.StatusRequestEntityTooLarge, "request_too_large", "Dữ liệu gửi lên quá lớn."}
	rateLimit              = answer{http.StatusTooManyRequests, "rate_limit", "Quá nhiều yêu cầu, vui lòng thử lại sau."}
	internalError          = answer{http.StatusInternalServerError, "internal_error", "Lỗi hệ thống."}
)

// invalidParameter names what cannot be read.
func invalidParameter(name string) answer {
	return answer{http.StatusBadRequest, "invalid_parameter", "Tham số không hợp lệ: " + name + "."}
}

// answers is one path's table: what the core refuses, as the clients know it.
type answers map[loyalty.Code]answer

// Tables of spec/antcrm.md 4 and 5, steps 6 on. An account that was switched off is,
// in this dialect, a customer who is blocked.
var (
	accumulateAnswers = answers{
		loyalty.CodeProductCodeNotFound: codeNotFound,
		loyalty.CodeCustomerBlocked:     contactBlocked,
		loyalty.CodeCardNotEnabled:      contactBlocked,
		loyalty.CodeCardNotValid:        contactBlocked,
		loyalty.CodeProductCodeUsed:     codeUsed,
		loyalty.CodeProductCodeInactive: codeInactive,
		loyalty.CodeIdempotencyMismatch: idempotencyConflict,
		// The first request with the key is still under way.
		loyalty.CodeIdempotencyInProgress: rateLimit,
	}
	redeemAnswers = answers{
		loyalty.CodeRewardNotFound:        giftNotFound,
		loyalty.CodeCustomerNotFound:      contactNotFound,
		loyalty.CodeCustomerBlocked:       contactBlocked,
		loyalty.CodeCardNotEnabled:        contactBlocked,
		loyalty.CodeCardNotValid:          contactBlocked,
		loyalty.CodeRewardInactive:        giftInactive,
		loyalty.CodeRewardOutOfStock:      giftOutOfStock,
		loyalty.CodeInsufficientBalance:   notEnoughPoints,
		loyalty.CodeIdempotencyMismatch:   idempotencyConflict,
		loyalty.CodeIdempotencyInProgress: rateLimit,
	}
)

// of is the answer to the core's refusals: nil without any. invalid names the
// parameters by the core's argument. A refusal that the document has no name for is a
// fault: the company's set-up is to be mended.
func (t answers) of(refused []*model.UserError, invalid map[string]string) error {
	if len(refused) == 0 {
		return nil
	}
	first := refused[0]
	field := ""
	if n := len(first.Field); n > 0 {
		field = first.Field[n-1]
	}
	if a, ok := t[first.Code]; ok {
		return a
	}
	name, known := invalid[field]
	switch {
	case first.Code == loyalty.CodeInvalid && known:
		return invalidParameter(name)
	case first.Code == loyalty.CodeRequired && known:
		return contactRequired
	}
	return fmt.Errorf("the refusal %s of %q has no answer in this dialect", first.Code, field)
}

// outcome is the body of a failure, and of a success of the two POST paths. Success is
// the number 1 or 0.
type outcome struct {
	Success int    `json:"success"`
	Error   string `json:"error,omitempty"`
	Message string `json:"message,omitempty"`
}

// fail answers a failure.
func fail(w http.ResponseWriter, a answer) {
	if a == rateLimit && w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", "1")
	}
	send(w, a.status, outcome{Error: a.name, Message: a.message})
}

// done answers a success; replayed marks one that repeats the first to its key.
func done(w http.ResponseWriter, replayed bool) {
	if replayed {
		w.Header().Set("Idempotency-Replayed", "true")
	}
	send(w, http.StatusOK, outcome{Success: 1})
}

// send writes one whole body. That nobody reads it any more is no fault of ours.
func send(w http.ResponseWriter, status int, body any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(body); err != nil {
		panic(err) // our own structs always encode
	}
	b.Truncate(b.Len() - 1)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}
