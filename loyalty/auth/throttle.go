package auth

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Limits say how many failed sign-ins are let through within a window, for one
// account and for one network address. Sessions that live are not touched by
// them: who guesses an owner's password does not sign the owner out.
type Limits struct {
	// Account is 10 if zero, Address 50, Window 15 minutes.
	Account, Address int
	Window           time.Duration
	// Keys is how many accounts and addresses are remembered, 100,000 if zero.
	Keys int
}

// ErrThrottled is what every *ThrottledError is (errors.Is).
var ErrThrottled = errors.New("too many failed sign-ins")

// ThrottledError: too many sign-ins failed; HTTP says 429 and Retry-After.
type ThrottledError struct {
	// RetryAfter is when the next attempt is let through, from now.
	RetryAfter time.Duration
}

// Error says how long to wait.
func (e *ThrottledError) Error() string {
	return fmt.Sprintf("%v: try again in %v", ErrThrottled, e.RetryAfter)
}

// Is makes errors.Is(err, ErrThrottled) true.
func (e *ThrottledError) Is(target error) bool { return target == ErrThrottled }

// throttle counts attempts in a sliding window. An attempt counts from its start
// and is taken back if it did not fail, so that a hundred at the same moment do
// not all pass before the first has failed. One process counts for itself: with
// n servers an attacker has n times the attempts, which ten of each bear.
type throttle struct {
	limits Limits

	mu   sync.Mutex
	past map[throttleKey][]time.Time
}

// throttleKey is a hash, so that no address of a person stays in memory.
type throttleKey [16]byte

// attempt is a sign-in under way.
type attempt struct {
	account, address throttleKey
	at               time.Time
}

func newThrottle(l Limits) *throttle {
	if l.Account <= 0 {
		l.Account = 10
	}
	if l.Address <= 0 {
		l.Address = 50
	}
	if l.Window <= 0 {
		l.Window = 15 * time.Minute
	}
	if l.Keys <= 0 {
		l.Keys = 100_000
	}
	return &throttle{limits: l, past: map[throttleKey][]time.Time{}}
}

// begin counts an attempt, or refuses it with a *ThrottledError. address may be
// empty where the caller has none.
func (t *throttle) begin(company, email, address string, now time.Time) (attempt, error) {
	a := attempt{account: hashOf("account", company, email), at: now}
	if address != "" {
		a.address = hashOf("address", network(address))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	wait := max(t.wait(a.account, t.limits.Account, now), t.wait(a.address, t.limits.Address, now))
	if wait > 0 {
		return attempt{}, &ThrottledError{RetryAfter: wait}
	}
	t.count(a.account, now)
	t.count(a.address, now)
	return a, nil
}

// succeeded forgets the account's failures: its owner is here.
func (t *throttle) succeeded(a attempt) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.past, a.account)
	t.takeBack(a.address, a.at)
}

// undo takes back an attempt that came to no answer.
func (t *throttle) undo(a attempt) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.takeBack(a.account, a.at)
	t.takeBack(a.address, a.at)
}

// wait drops what has left the window and answers how long a full one lasts.
func (t *throttle) wait(key throttleKey, limit int, now time.Time) time.Duration {
	times, known := t.past[key]
	if !known {
		return 0
	}
	times = slices.DeleteFunc(times, func(at time.Time) bool { return now.Sub(at) >= t.limits.Window })
	if len(times) == 0 {
		delete(t.past, key)
		return 0
	}
	t.past[key] = times
	if len(times) < limit {
		return 0
	}
	return t.limits.Window - now.Sub(times[len(times)-limit])
}

func (t *throttle) count(key throttleKey, now time.Time) {
	if key == (throttleKey{}) {
		return
	}
	if _, known := t.past[key]; !known && len(t.past) >= t.limits.Keys {
		t.makeRoom()
	}
	t.past[key] = append(t.past[key], now)
}

func (t *throttle) takeBack(key throttleKey, at time.Time) {
	times := t.past[key]
	if i := slices.IndexFunc(times, at.Equal); i >= 0 {
		times = slices.Delete(times, i, i+1)
	}
	if len(times) == 0 {
		delete(t.past, key)
		return
	}
	t.past[key] = times
}

// makeRoom drops, of a few keys, the one with the fewest attempts: who floods
// the table with new names must not wash out the account under attack.
func (t *throttle) makeRoom() {
	var (
		least throttleKey
		n     int
		seen  int
	)
	for key, times := range t.past {
		if seen == 0 || len(times) < n {
			least, n = key, len(times)
		}
		if seen++; seen == sampled {
			break
		}
	}
	delete(t.past, least)
}

func hashOf(parts ...string) throttleKey {
	h := sha256.New()
	for _, p := range parts {
		_, _ = fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return throttleKey(h.Sum(nil)[:16])
}

// network is what one attacker holds without effort: an IPv4 address, or a /64
// of IPv6.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	return netip.PrefixFrom(ip, 64).Masked().String()
}
