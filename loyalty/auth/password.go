package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/sync/semaphore"
)

const (
	// MinPassword is the least length of a new password, in bytes.
	MinPassword = 8
	// MaxPassword is the greatest length of a password, in bytes: more than any
	// manager makes, little enough to hash for anybody who asks.
	MaxPassword = 256

	saltLength = 16
	hashLength = 32
)

// ErrBusy: as many passwords are being hashed as the machine can carry; HTTP says
// 503 and the caller tries again.
var ErrBusy = errors.New("too many passwords are being checked")

// errHash: what the database holds is no hash of ours.
var errHash = errors.New("password hash cannot be read")

// Params are argon2id's costs. Memory is in KiB.
type Params struct {
	Memory  uint32
	Time    uint32
	Threads uint8
}

// DefaultParams are OWASP's least: 19 MiB, two passes, one lane; about 50 ms.
var DefaultParams = Params{Memory: 19 * 1024, Time: 2, Threads: 1}

// Hasher hashes and checks passwords, a few at a time: at 19 MiB each, fifty
// sign-ins at once would take a gigabyte (hardening.md 3.5).
type Hasher struct {
	params Params
	slots  *semaphore.Weighted
	dummy  string
}

// NewHasher makes a hasher that works on at most slots passwords at once.
func NewHasher(p Params, slots int) *Hasher {
	h := &Hasher{params: p, slots: semaphore.NewWeighted(int64(slots))}
	// No password has this hash, and checking one against it costs what any
	// other check costs.
	h.dummy = h.params.encode(random(saltLength), random(hashLength))
	return h
}

// Hash makes the PHC string of a new password. It fails with ErrBusy.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	if len(password) > MaxPassword {
		return "", fmt.Errorf("hash a password: longer than %d bytes", MaxPassword)
	}
	salt := random(saltLength)
	key, err := h.key(ctx, password, salt, h.params, hashLength)
	if err != nil {
		return "", err
	}
	return h.params.encode(salt, key), nil
}

// Verify reports whether the password has the hash, and whether the hash was made
// with other costs than today's and ought to be made anew. A password that is
// too long is wrong, and takes as long to be. It fails with ErrBusy.
func (h *Hasher) Verify(ctx context.Context, hash, password string) (ok, stale bool, err error) {
	params, salt, want, err := decodeHash(hash)
	if err != nil {
		return false, false, err
	}
	tooLong := len(password) > MaxPassword
	if tooLong {
		password = password[:MaxPassword]
	}
	got, err := h.key(ctx, password, salt, params, uint32(len(want)))
	if err != nil {
		return false, false, err
	}
	ok = subtle.ConstantTimeCompare(got, want) == 1 && !tooLong
	stale = params != h.params || len(salt) != saltLength || len(want) != hashLength
	return ok, stale, nil
}

// VerifyNobody takes the time of Verify where there is nobody to check against.
func (h *Hasher) VerifyNobody(ctx context.Context, password string) error {
	_, _, err := h.Verify(ctx, h.dummy, password)
	return err
}

func (h *Hasher) key(ctx context.Context, password string, salt []byte, p Params, length uint32) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("hash a password: %w", err)
	}
	if !h.slots.TryAcquire(1) {
		return nil, ErrBusy
	}
	defer h.slots.Release(1)
	return argon2.IDKey([]byte(password), salt, p.Time, p.Memory, p.Threads, length), nil
}

// encode writes the PHC string: $argon2id$v=19$m=19456,t=2,p=1$salt$hash.
func (p Params) encode(salt, key []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.Memory, p.Time, p.Threads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key))
}

// decodeHash reads a PHC string. Costs are bounded: a row that somebody wrote by
// hand must not take the machine's memory.
func decodeHash(hash string) (p Params, salt, key []byte, err error) {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, nil, nil, errHash
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.Memory, &p.Time, &p.Threads); err != nil || n != 3 {
		return p, nil, nil, errHash
	}
	if p.Memory < 8 || p.Memory > 256*1024 || p.Time < 1 || p.Time > 16 || p.Threads < 1 || p.Threads > 16 {
		return p, nil, nil, errHash
	}
	salt, errSalt := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	key, errKey := base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if errSalt != nil || errKey != nil || len(salt) < 8 || len(salt) > 64 || len(key) < 16 || len(key) > 64 {
		return p, nil, nil, errHash
	}
	return p, salt, key, nil
}

// random answers n random bytes; crypto/rand ends the program rather than fail.
func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}
