package graph

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/graph/model"
	"sello/loyalty/auth"
)

// TestFingerprintLasts: keys stand for their requests for 90 days, whatever release
// they meet, so a request's digest never changes.
func TestFingerprintLasts(t *testing.T) {
	t.Parallel()
	key := "k"
	points := decimal.MustParse("12.50")
	description := "<a> & \u2028 ñ"
	input := model.MovementAccrueInput{Points: &points, Description: &description, IdempotencyKey: &key}
	got, err := postingKey(t.Context(), auth.Principal{Subject: uuid.Nil}, "sale", &key, nil, input)
	if err != nil {
		t.Fatal(err)
	}
	request, err := json.Marshal(map[string]any{fmt.Sprintf("%T", input): input})
	if err != nil {
		t.Fatal(err)
	}
	if want := digest([]byte("sale"), request); got.Fingerprint != want {
		t.Errorf("fingerprint: got %s, want %s", got.Fingerprint, want)
	}
	if got, want := digest([]byte("sale"), []byte("x"), nil).String(), "a6fc0a80-5cdd-0894-d858-7faf57aef4f0"; got != want {
		t.Errorf("digest: got %s, want %s", got, want)
	}
}
