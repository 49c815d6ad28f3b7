package auth_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"sello/loyalty"
	"sello/loyalty/auth"
)

func TestKeyAuthenticate(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	key, secret, err := env.KeyCreate(t.Context(), env.who, auth.KeyInput{
		Kind: auth.KeyPretii, Name: "Panel", ContactEmail: "Results@Acme.test",
	})
	if err != nil {
		t.Fatal(err)
	}
	who, err := env.Authenticate(t.Context(), secret)
	if err != nil {
		t.Fatal(err)
	}
	want := auth.Principal{
		CompanyID: env.company, Subject: key.ID, Kind: auth.KindAPIKey, KeyKind: auth.KeyPretii,
		Scopes: key.Scopes, Email: "results@acme.test",
	}
	if diff := cmp.Diff(want, who); diff != "" {
		t.Errorf("Authenticate (-want +got):\n%s", diff)
	}
	for _, tt := range []struct {
		name  string
		kinds []auth.KeyKind
		want  error
	}{
		{"its kind", []auth.KeyKind{auth.KeyPretii}, nil},
		{"its kind among others", []auth.KeyKind{auth.KeyWallet, auth.KeyPretii}, nil},
		{"another kind", []auth.KeyKind{auth.KeyWallet}, auth.ErrUnauthenticated},
	} {
		if _, err := env.KeyAuthenticate(t.Context(), secret, tt.kinds...); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
	if key.Hint != secret[len(secret)-4:] || *key.CreatedBy != env.boss.ID {
		t.Errorf("KeyCreate: hint %q, created by %v", key.Hint, key.CreatedBy)
	}
	if n := env.count(t, `SELECT count(*) FROM api_key WHERE company_id = $1 AND hash = sha256($2)`, env.company, []byte(secret)); n != 1 {
		t.Error("the key is not stored as its SHA-256")
	}
	if env.audited(t, "key_create") != 1 {
		t.Error("no audit entry")
	}
}

func TestKeyCreateRefuses(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	reader := auth.Principal{CompanyID: env.company, Scopes: []auth.Scope{auth.KeysManage, auth.CardsRead}}
	past := noon
	for _, tt := range []struct {
		name string
		who  auth.Principal
		in   auth.KeyInput
		want loyalty.Error
	}{
		{"unknown kind", env.who, auth.KeyInput{Kind: "root", Name: "k"}, loyalty.Error{Code: loyalty.CodeInvalid, Field: "kind"}},
		{"no name", env.who, auth.KeyInput{Kind: auth.KeyWallet, Name: " "}, loyalty.Error{Code: loyalty.CodeRequired, Field: "name"}},
		{"server without scopes", env.who, auth.KeyInput{Kind: auth.KeyServer, Name: "k"}, loyalty.Error{Code: loyalty.CodeRequired, Field: "scopes"}},
		{"wallet with scopes", env.who, auth.KeyInput{Kind: auth.KeyWallet, Name: "k", Scopes: []auth.Scope{auth.CardsRead}}, loyalty.Error{Code: loyalty.CodeInvalid, Field: "scopes"}},
		{"platform", env.who, auth.KeyInput{Kind: auth.KeyServer, Name: "k", Scopes: []auth.Scope{auth.Platform}},
			loyalty.Error{Code: loyalty.CodeScopeExceeded, Field: "scopes", Params: map[string]string{"scope": "platform"}}},
		{"a wallet key by a reader", reader, auth.KeyInput{Kind: auth.KeyWallet, Name: "k"},
			loyalty.Error{Code: loyalty.CodeScopeExceeded, Field: "scopes", Params: map[string]string{"scope": "cards:write"}}},
		{"bad contact", env.who, auth.KeyInput{Kind: auth.KeyPretii, Name: "k", ContactEmail: "nobody"}, loyalty.Error{Code: loyalty.CodeInvalid, Field: "contactEmail"}},
		{"expired already", env.who, auth.KeyInput{Kind: auth.KeyWallet, Name: "k", ExpiresAt: &past}, loyalty.Error{Code: loyalty.CodeInvalid, Field: "expiresAt"}},
	} {
		_, secret, err := env.KeyCreate(t.Context(), tt.who, tt.in)
		if refusal, _ := errors.AsType[*loyalty.Error](err); refusal == nil || !cmp.Equal(*refusal, tt.want) || secret != "" {
			t.Errorf("%s: got key %q, error %v; want %v", tt.name, secret, err, &tt.want)
		}
	}
}

func TestKeyRefused(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	good := env.key(t, auth.KeyWallet)
	typo := good[:len(good)-1] + string(good[len(good)-1]^1)
	for _, tt := range []struct{ name, key, reason string }{
		{"empty", "", auth.ReasonKeyMalformed},
		{"too short", "1234567", auth.ReasonKeyMalformed},
		{"too long", strings.Repeat("x", 201), auth.ReasonKeyMalformed},
		{"1 MB", strings.Repeat("x", 1<<20), auth.ReasonKeyMalformed},
		{"100,000 dots", strings.Repeat(".", 100_000), auth.ReasonKeyMalformed},
		{"with NUL", "legacy\x00key", auth.ReasonKeyMalformed},
		{"not UTF-8", "legacy\xff\xfekey", auth.ReasonKeyMalformed},
		{"with a line break", "legacy\nkey", auth.ReasonKeyMalformed},
		{"typo", typo, auth.ReasonKeyMalformed},
		{"unknown", "never-imported", auth.ReasonKeyUnknown},
		{"unsigned JWT", "eyJhbGciOiJub25lIn0.e30.", auth.ReasonTokenInvalid},
	} {
		before := env.failures.of(tt.reason)
		if who, err := env.Authenticate(t.Context(), tt.key); !errors.Is(err, auth.ErrUnauthenticated) || who.CompanyID != uuid.Nil {
			t.Errorf("%s: got %+v, error %v; want ErrUnauthenticated", tt.name, who, err)
		}
		if env.failures.of(tt.reason) != before+1 {
			t.Errorf("%s: not counted as %s", tt.name, tt.reason)
		}
	}
}

func TestMalformedKeysAskNoDatabase(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	good := env.key(t, auth.KeyWallet)
	offline := env.server(t)
	env.pool.Close()
	typo := good[:len(good)-1] + string(good[len(good)-1]^1)
	if _, err := offline.KeyAuthenticate(t.Context(), typo); !errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("a typo without a database: got %v, want ErrUnauthenticated", err)
	}
	if _, err := offline.KeyAuthenticate(t.Context(), good, auth.KeyAntCRM); !errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("another dialect's key without a database: got %v, want ErrUnauthenticated", err)
	}
	if _, err := offline.KeyAuthenticate(t.Context(), good); err == nil || errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("a good key without a database: got %v, want a fault", err)
	}
}

func TestKeySeenAMomentAgoCostsNoStatement(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	secret, session := env.key(t, auth.KeyWallet), env.signIn(t)
	for _, bearer := range []string{secret, session.AccessToken} {
		if _, err := env.Authenticate(t.Context(), bearer); err != nil {
			t.Fatal(err)
		}
	}
	env.Wait()
	env.pool.Close()
	for _, bearer := range []string{secret, session.AccessToken} {
		if _, err := env.Authenticate(t.Context(), bearer); err != nil {
			t.Errorf("within three seconds: got %v", err)
		}
	}
	env.clock.pass(3 * time.Second)
	for _, bearer := range []string{secret, session.AccessToken} {
		if _, err := env.Authenticate(t.Context(), bearer); err == nil {
			t.Error("after three seconds: still believed without a look into the database")
		}
	}
}

func TestUnknownKeyAsksOnceASecond(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	offline := env.server(t)
	for range 3 {
		if _, err := offline.Authenticate(t.Context(), "never-imported"); !errors.Is(err, auth.ErrUnauthenticated) {
			t.Errorf("got %v, want ErrUnauthenticated", err)
		}
		env.pool.Close()
	}
	env.clock.pass(time.Second)
	if _, err := offline.Authenticate(t.Context(), "never-imported"); err == nil || errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("a second later, without a database: got %v, want a fault", err)
	}
}

func TestKeyRevoke(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	elsewhere := env.server(t)
	secret := env.key(t, auth.KeyWallet)
	who, err := env.Authenticate(t.Context(), secret)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := elsewhere.Authenticate(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	other := auth.System(uuid.New())
	if _, err := env.KeyRevoke(t.Context(), other, who.Subject); loyalty.CodeOf(err) != loyalty.CodeNotFound {
		t.Errorf("by another company: got %v, want NOT_FOUND", err)
	}
	if _, err := env.KeyRevoke(t.Context(), env.who, uuid.New()); loyalty.CodeOf(err) != loyalty.CodeNotFound {
		t.Errorf("unknown: got %v, want NOT_FOUND", err)
	}

	for range 2 {
		key, err := env.KeyRevoke(t.Context(), env.who, who.Subject)
		if err != nil || key.RevokedAt == nil || !key.RevokedAt.Equal(noon) {
			t.Fatalf("KeyRevoke: got %+v, error %v; want revoked at %v", key, err, noon)
		}
		if _, err := env.Authenticate(t.Context(), secret); !errors.Is(err, auth.ErrUnauthenticated) {
			t.Errorf("here: got %v, want ErrUnauthenticated", err)
		}
		env.clock.pass(5 * time.Second)
	}
	if _, err := elsewhere.Authenticate(t.Context(), secret); !errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("on another server five seconds later: got %v, want ErrUnauthenticated", err)
	}
	if n := env.audited(t, "key_revoke"); n != 1 {
		t.Errorf("%d audit entries, want 1", n)
	}
}

func TestKeyExpires(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	expires := noon.Add(time.Second)
	_, secret, err := env.KeyCreate(t.Context(), env.who, auth.KeyInput{Kind: auth.KeyWallet, Name: "k", ExpiresAt: &expires})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := env.Authenticate(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	env.clock.pass(time.Second) // still in the cache
	if _, err := env.Authenticate(t.Context(), secret); !errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("after its time: got %v, want ErrUnauthenticated", err)
	}
	if env.failures.of(auth.ReasonKeyExpired) != 1 {
		t.Error("not counted as expired")
	}
}

func TestKeyImport(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	other := uuid.New()
	env.addCompany(t, other, "other")
	in := auth.KeyInput{Kind: auth.KeyWallet, Name: "old till"}
	const legacy = "a1b2c3d4-legacy key/ñ"
	if _, err := env.Authenticate(t.Context(), legacy); !errors.Is(err, auth.ErrUnauthenticated) {
		t.Fatalf("before: got %v, want ErrUnauthenticated", err)
	}

	key, err := env.KeyImport(t.Context(), env.who, legacy, in)
	if err != nil {
		t.Fatal(err)
	}

	who, err := env.KeyAuthenticate(t.Context(), legacy, auth.KeyWallet) // at once, though it was unknown a moment ago
	if err != nil || who.CompanyID != env.company || who.Subject != key.ID {
		t.Errorf("after: got %+v, error %v", who, err)
	}
	if _, err := env.KeyAuthenticate(t.Context(), legacy, auth.KeyAntCRM); !errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("as another kind: got %v, want ErrUnauthenticated", err)
	}
	for _, tt := range []struct {
		name   string
		who    auth.Principal
		secret string
		want   loyalty.Code
	}{
		{"again", env.who, legacy, loyalty.CodeTaken},
		{"by another company", auth.System(other), legacy, loyalty.CodeTaken},
		{"none", env.who, "", loyalty.CodeRequired},
		{"seven characters", env.who, "1234567", loyalty.CodeInvalid},
		{"201 characters", env.who, strings.Repeat("x", 201), loyalty.CodeInvalid},
		{"not printable", env.who, "12345678\x7f", loyalty.CodeInvalid},
		{"begins like ours", env.who, goodKey, loyalty.CodeInvalid},
	} {
		if _, err := env.KeyImport(t.Context(), tt.who, tt.secret, in); loyalty.CodeOf(err) != tt.want {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
	for _, edge := range []string{"12345678", strings.Repeat("ñ", 200), "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"} {
		key, err := env.KeyImport(t.Context(), env.who, edge, in)
		if err != nil {
			t.Errorf("KeyImport(%.30q): got %v", edge, err)
			continue
		}
		if strings.Count(edge, "")-1 == 8 && len(key.Hint) > 2 {
			t.Errorf("the hint %q shows more than a quarter of a short key", key.Hint)
		}
		if _, err := env.KeyAuthenticate(t.Context(), edge); err != nil {
			t.Errorf("KeyAuthenticate(%.30q): got %v", edge, err)
		}
	}
}

func TestKeyLastUse(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	secret := env.key(t, auth.KeyWallet)
	for _, tt := range []struct {
		pass, want time.Duration // both since the first use
	}{{0, 0}, {30 * time.Second, 0}, {59 * time.Second, 0}, {64 * time.Second, 64 * time.Second}, {94 * time.Second, 64 * time.Second}} {
		env.clock.pass(noon.Add(tt.pass).Sub(env.clock.Now()))
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := env.Authenticate(t.Context(), secret); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		env.Wait()
		keys, err := env.KeyList(t.Context(), env.company, nil, 10)
		if err != nil || len(keys) != 1 || keys[0].LastUsedAt == nil {
			t.Fatalf("after %v: got %+v, error %v", tt.pass, keys, err)
		}
		if got := keys[0].LastUsedAt.Sub(noon); got != tt.want {
			t.Errorf("after %v: last used after %v, want %v", tt.pass, got, tt.want)
		}
	}
}

func TestKeyList(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	for range 5 {
		env.key(t, auth.KeyServer)
	}
	var (
		after *uuid.UUID
		sizes []int
		seen  = map[uuid.UUID]bool{}
	)
	for {
		page, err := env.KeyList(t.Context(), env.company, after, 2)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(page))
		if len(page) == 0 {
			break
		}
		for _, k := range page {
			seen[k.ID] = true
		}
		after = &page[len(page)-1].ID
	}
	if diff := cmp.Diff([]int{2, 2, 1, 0}, sizes); diff != "" || len(seen) != 5 {
		t.Errorf("KeyList: %d keys, pages (-want +got):\n%s", len(seen), diff)
	}
	if keys, err := env.KeyList(t.Context(), uuid.New(), nil, 10); len(keys) != 0 || err != nil {
		t.Errorf("KeyList of another company: got %d keys, error %v", len(keys), err)
	}
}
