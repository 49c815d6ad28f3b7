package auth

import (
	"fmt"
	"testing"
	"time"
)

// Both memories are filled by whoever calls: they stay within their bounds.

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()

	now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	c := newCache[int, int](10, time.Second)
	for i := range 1000 {
		c.put(i, i, now.Add(time.Duration(i)))
		if got, ok := c.get(i, now.Add(time.Duration(i))); !ok || got != i {
			t.Fatalf("get(%d): got %d, %v right after put", i, got, ok)
		}
	}
	if len(c.entries) != 10 {
		t.Errorf("%d entries, want 10", len(c.entries))
	}
	c.put(999, -1, now) // known: makes no room
	if len(c.entries) != 10 {
		t.Errorf("%d entries after a known one, want 10", len(c.entries))
	}
}

func TestCacheForgets(t *testing.T) {
	t.Parallel()

	now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	c := newCache[string, int](10, time.Second)
	c.put("k", 1, now)
	for _, tt := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {time.Second - 1, true}, {time.Second, false}, {-1, false}} {
		if _, ok := c.get("k", now.Add(tt.after)); ok != tt.want {
			t.Errorf("get %v later: got %v, want %v", tt.after, ok, tt.want)
		}
	}
	c.drop("k")
	if _, ok := c.get("k", now); ok {
		t.Error("get after drop: still there")
	}
}

func TestThrottleIsBoundedAndKeepsTheAttacked(t *testing.T) {
	t.Parallel()

	now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	th := newThrottle(Limits{Account: 5, Keys: 50})
	for range 5 {
		if _, err := th.begin("acme", "boss@acme.test", "", now); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 1000 { // a flood of new names
		if _, err := th.begin("acme", fmt.Sprintf("x%d@acme.test", i), "", now); err != nil {
			t.Fatal(err)
		}
	}
	if len(th.past) > 50 {
		t.Errorf("%d accounts are remembered, want at most 50", len(th.past))
	}
	if _, err := th.begin("acme", "boss@acme.test", "", now); err == nil {
		t.Error("a flood of new names freed the account under attack")
	}
}
