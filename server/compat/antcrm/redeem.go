package antcrm

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"

	"sello/graph/model"
)

// A call is repeatable for a day (spec/antcrm.md 7). A key of one call's own is never
// met again, so that it need not be kept for long.
const (
	repeatableHours = 24
	ownHours        = 1
)

// header is the key of the header Idempotency-Key, "" without one. It is a digest, so
// that any bytes will do; one beyond the 255 characters has no documented refusal and
// protects like any other.
func header(r *http.Request) string {
	given := strings.TrimSpace(r.Header.Get("Idempotency-Key"))
	if given == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(given))
	return "header:" + hex.EncodeToString(sum[:])
}

// redeem answers POST /redeem (spec/antcrm.md 5). Without the header it is another
// redemption each time.
func (h *handler) redeem(w http.ResponseWriter, c call) error {
	code, data, err := read(w, c.Request, redeemCodeRequired)
	if err != nil {
		return err
	}
	in := model.ContactRedeemInput{
		Code: code, Phones: only(data["phone"], data["phones"]), Emails: only(data["email"], data["emails"]),
		// Points are integers here (spec/antcrm.md 6).
		WholePoints:    true,
		IdempotencyKey: new("call:" + rand.Text()), IdempotencyHours: new(ownHours),
	}
	if !given(in.Phones, in.Emails) {
		return contactRequired
	}
	if key := header(c.Request); key != "" {
		in.IdempotencyKey, in.IdempotencyHours = &key, new(repeatableHours)
	}
	payload, err := h.Graph.Mutation().ContactRedeem(c.Context(), in)
	if err != nil {
		return err
	}
	if err := redeemAnswers.of(payload.UserErrors, map[string]string{"phones": "data.phone", "emails": "data.email"}); err != nil {
		return err
	}
	done(w, payload.Replayed)
	return nil
}

// only is the single value, or the first element of the list where that is blank.
func only(single, list json.RawMessage) []*model.ContactPointInput {
	if v := value(single); v != "" {
		return []*model.ContactPointInput{{Value: v}}
	}
	all := points(list)
	return all[:min(1, len(all))]
}
