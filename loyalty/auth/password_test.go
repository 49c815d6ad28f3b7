package auth_test

import (
	"errors"
	"strings"
	"testing"

	"sello/loyalty/auth"
)

// cheap keeps tests fast; what is tested does not depend on the costs.
var cheap = auth.Params{Memory: 64, Time: 1, Threads: 1}

func TestPassword(t *testing.T) {
	t.Parallel()

	hasher := auth.NewHasher(cheap, 8)
	long := strings.Repeat("x", auth.MaxPassword)
	for _, tt := range []struct {
		name, password, attempt string
		want                    bool
	}{
		{name: "right", password: "correct horse", attempt: "correct horse", want: true},
		{name: "wrong", password: "correct horse", attempt: "correct horsf"},
		{name: "empty", password: "correct horse", attempt: ""},
		{name: "beyond ASCII", password: "señal ٣", attempt: "señal ٣", want: true},
		{name: "with NUL", password: "a\x00b", attempt: "a\x00c"},
		{name: "longest", password: long, attempt: long, want: true},
		{name: "longer than any, same beginning", password: long, attempt: long + "y"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			hash, err := hasher.Hash(t.Context(), tt.password)
			if err != nil {
				t.Fatal(err)
			}

			got, stale, err := hasher.Verify(t.Context(), hash, tt.attempt)

			if err != nil || got != tt.want || stale {
				t.Errorf("Verify: got %v, stale %v, error %v; want %v, not stale", got, stale, err, tt.want)
			}
			if !strings.HasPrefix(hash, "$argon2id$v=19$m=64,t=1,p=1$") {
				t.Errorf("hash is no PHC string: %s", hash)
			}
		})
	}
}

func TestPasswordHashedAnew(t *testing.T) {
	t.Parallel()

	old, err := auth.NewHasher(cheap, 1).Hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	dearer := cheap
	dearer.Time = 2

	ok, stale, err := auth.NewHasher(dearer, 1).Verify(t.Context(), old, "correct horse")

	if !ok || !stale || err != nil {
		t.Errorf("Verify of a cheaper hash: got %v, stale %v, error %v; want true, stale", ok, stale, err)
	}
}

func TestDefaultParamsAreOWASPs(t *testing.T) {
	t.Parallel()

	hash, err := auth.NewHasher(auth.DefaultParams, 1).Hash(t.Context(), "correct horse")
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("Hash: got %s, error %v", hash, err)
	}
}

func TestPasswordBusy(t *testing.T) {
	t.Parallel()

	full := auth.NewHasher(cheap, 0)
	if _, err := full.Hash(t.Context(), "correct horse"); !errors.Is(err, auth.ErrBusy) {
		t.Errorf("Hash without a free slot: got %v, want ErrBusy", err)
	}
	if err := full.VerifyNobody(t.Context(), "correct horse"); !errors.Is(err, auth.ErrBusy) {
		t.Errorf("VerifyNobody without a free slot: got %v, want ErrBusy", err)
	}
}

func TestPasswordUnreadableHash(t *testing.T) {
	t.Parallel()

	hasher := auth.NewHasher(cheap, 1)
	for _, hash := range []string{
		"", "plain", "$2a$10$abcdefghijklmnopqrstuv",
		"$argon2i$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=16$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=4294967295,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=64,t=0,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$",
	} {
		if ok, _, err := hasher.Verify(t.Context(), hash, ""); ok || err == nil {
			t.Errorf("Verify against %q: got %v, error %v; want an error", hash, ok, err)
		}
	}
}
