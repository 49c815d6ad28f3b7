package signin

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"sello/loyalty/auth"
)

// A refresh token works once, and a page sends a handful of requests at the same
// time with the same cookie: the first trades, the others get what it got, for as
// long as requests with the old cookie may be under way. The token used twice
// after that, or on another server at that moment, ends the session as ever.
const heldFor = 20 * time.Second

// maxHeld bounds the memory for renewals; beyond it nothing is held, and only a
// page's requests at the same moment suffer.
const maxHeld = 10_000

type renewalKey [sha256.Size]byte

type renewal struct {
	done    chan struct{}
	until   time.Time
	session *auth.Session
	err     error
}

type renewals struct {
	mu   sync.Mutex
	held map[renewalKey]*renewal
}

var errManyRenewals = errors.New("too many sessions are being renewed")

// trade is the session that a refresh token was traded for, now or a moment ago.
func (r *renewals) trade(ctx context.Context, sessions Sessions, refresh string, now time.Time) (*auth.Session, error) {
	key := renewalKey(sha256.Sum256([]byte(refresh)))
	r.mu.Lock()
	r.forget(now)
	one, begun := r.held[key]
	if !begun {
		if len(r.held) >= maxHeld {
			r.mu.Unlock()
			return nil, errManyRenewals
		}
		one = &renewal{done: make(chan struct{}), until: now.Add(heldFor)}
		r.held[key] = one
	}
	r.mu.Unlock()
	if begun {
		select {
		case <-one.done:
			return one.session, one.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	// Whoever goes away must not take the others' new session along.
	one.session, one.err = sessions.Refresh(context.WithoutCancel(ctx), refresh)
	close(one.done)
	if one.err != nil {
		r.mu.Lock()
		delete(r.held, key)
		r.mu.Unlock()
	}
	return one.session, one.err
}

// forget drops what is held no longer. It looks at a few, in no order: as many go
// as come.
func (r *renewals) forget(now time.Time) {
	looked := 0
	for key, one := range r.held {
		if looked++; looked > 8 {
			return
		}
		if now.After(one.until) {
			delete(r.held, key)
		}
	}
}
