package auth

import (
	"sync"
	"time"
)

// sampled is how many entries are looked at to find one to drop: Go starts each
// walk of a map at another place, so that this is a fair draw at a fixed price.
const sampled = 8

// cache keeps answers of the database for a few seconds, a bounded number.
type cache[K comparable, V any] struct {
	limit int
	ttl   time.Duration

	mu      sync.Mutex
	entries map[K]cached[V]
}

type cached[V any] struct {
	value V
	// at is when the question was put, not when it was answered: what changed
	// in between is not believed for longer than ttl either.
	at time.Time
}

func newCache[K comparable, V any](limit int, ttl time.Duration) *cache[K, V] {
	return &cache[K, V]{limit: limit, ttl: ttl, entries: map[K]cached[V]{}}
}

func (c *cache[K, V]) get(key K, now time.Time) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if age := now.Sub(e.at); !ok || age < 0 || age >= c.ttl {
		var none V
		return none, false
	}
	return e.value, true
}

func (c *cache[K, V]) put(key K, value V, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.entries[key]; !known && len(c.entries) >= c.limit {
		c.makeRoom()
	}
	c.entries[key] = cached[V]{value, at}
}

// makeRoom drops the oldest of a few entries.
func (c *cache[K, V]) makeRoom() {
	var (
		oldest K
		at     time.Time
		seen   int
	)
	for k, e := range c.entries {
		if seen == 0 || e.at.Before(at) {
			oldest, at = k, e.at
		}
		if seen++; seen == sampled {
			break
		}
	}
	delete(c.entries, oldest)
}

func (c *cache[K, V]) drop(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, key)
}
