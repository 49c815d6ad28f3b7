package gqlhttp

import "sync"

// connections counts the open websockets and event streams, in all and by
// principal, and tells them when to end.
type connections struct {
	limits Limits
	hook   func(delta int)

	// stopping is closed by stop; empty when nothing is open any more after it.
	stopping, empty chan struct{}

	mu      sync.Mutex
	stopped bool
	open    int
	byKey   map[string]int
}

func newConnections(limits Limits, hook func(int)) *connections {
	if hook == nil {
		hook = func(int) {}
	}
	return &connections{
		limits:   limits,
		hook:     hook,
		stopping: make(chan struct{}),
		empty:    make(chan struct{}),
		byKey:    map[string]int{},
	}
}

// enter takes a place; code says why there is none, "" that there is.
func (c *connections) enter() (code string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.stopped:
		return CodeUnavailable
	case c.open >= c.limits.Connections:
		return CodeTooManyConnections
	}
	c.open++
	c.hook(1)
	return ""
}

func (c *connections) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open--
	c.hook(-1)
	c.check()
}

// claim counts a connection for its principal, once that is known.
func (c *connections) claim(key string) bool {
	if key == "" {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey[key] >= c.limits.ConnectionsPerKey {
		return false
	}
	c.byKey[key]++
	return true
}

func (c *connections) release(key string) {
	if key == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey[key]--; c.byKey[key] == 0 {
		delete(c.byKey, key)
	}
}

func (c *connections) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return
	}
	c.stopped = true
	close(c.stopping)
	c.check()
}

func (c *connections) check() {
	if c.stopped && c.open == 0 {
		select {
		case <-c.empty:
		default:
			close(c.empty)
		}
	}
}
