package server_test

import (
	"strings"
	"testing"
)

// TestHeadersReachTheResolvers: the key of a posting and the language of refusals.
func TestHeadersReachTheResolvers(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	token := "Bearer " + e.token(t, "boss@acme.test")
	const accrue = `{"query":"mutation{movementAccrue(input:{card:{code:\"none\"},points:\"1\"}){userErrors{code message}}}"}`
	for _, tt := range []struct{ name, key, language, want string }{
		{"no key", "", "", `"code":"IDEMPOTENCY_KEY_REQUIRED"`},
		{"a key", "sale-1", "", `"code":"CARD_NOT_FOUND","message":"The card does not exist."`},
		{"Spanish", "sale-2", "es-PE,es;q=0.9,en;q=0.1", `"message":"La tarjeta no existe."`},
		{"Portuguese", "sale-3", "pt", `"message":"O cartão não existe."`},
		{"Vietnamese", "sale-4", "vi-VN", `"message":"Thẻ không tồn tại."`},
		{"a language we do not speak", "sale-5", "fi", `"message":"The card does not exist."`},
		{"nonsense", "sale-6", ";;q=", `"message":"The card does not exist."`},
	} {
		got := e.graphql(t, plain, accrue, "Authorization", token, "Idempotency-Key", tt.key, "Accept-Language", tt.language)
		if !strings.Contains(got.body, tt.want) {
			t.Errorf("%s: got %s, want %s", tt.name, got.body, tt.want)
		}
	}
}

// TestSignInByGraphQL: who has a session that is over can still start another.
func TestSignInByGraphQL(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	got := e.graphql(t, plain, `{"query":"mutation{sessionCreate(input:{company:\"acme\",email:\"boss@acme.test\",password:\"correct horse\"}){accessToken userErrors{code}}}"}`,
		"Cookie", "sello=over~over", "Sec-Fetch-Site", "same-origin")
	if !strings.Contains(got.body, `"accessToken":"ey`) {
		t.Errorf("got %d %s", got.StatusCode, got.body)
	}
}
