package loyalty

import (
	"maps"
	"slices"
	"sync"
)

// Batch is a list of objects that were read together. What they lead to is read
// together too: whichever object of the list is asked first reads for all. So
// lists below lists cost one statement a level, whatever the page's size and
// without timers.
type Batch[T any] struct {
	all     []*T
	mu      sync.Mutex
	results map[string]*batchResult
}

type batchResult struct {
	once sync.Once
	// any of map[*T]R; Together is the only writer and reader of a key.
	values any
	err    error
}

// NewBatch makes the batch of objects read together.
func NewBatch[T any](all []*T) *Batch[T] {
	return &Batch[T]{all: all, results: map[string]*batchResult{}}
}

// Together answers for one object what load answers for all of its batch. The
// key names the question with its arguments; without a batch the object is asked
// for alone. An object that load leaves out gets R's zero value.
func Together[T, R any](b *Batch[T], one *T, key string, load func(all []*T) (map[*T]R, error)) (R, error) {
	if b == nil {
		values, err := load([]*T{one})
		return values[one], err
	}
	b.mu.Lock()
	result := b.results[key]
	if result == nil {
		result = &batchResult{}
		b.results[key] = result
	}
	b.mu.Unlock()
	result.once.Do(func() { result.values, result.err = load(b.all) })
	if result.err != nil {
		var none R
		return none, result.err
	}
	return result.values.(map[*T]R)[one], nil
}

// Lookup reads the objects that those of a batch name: ids without repeats, one
// read, and the answers by object.
func Lookup[T any, K comparable, R any](all []*T, key func(*T) (K, bool), read func([]K) (map[K]R, error)) (map[*T]R, error) {
	wanted := map[K]struct{}{}
	for _, one := range all {
		if k, ok := key(one); ok {
			wanted[k] = struct{}{}
		}
	}
	answers := map[*T]R{}
	if len(wanted) == 0 {
		return answers, nil
	}
	found, err := read(slices.Collect(maps.Keys(wanted)))
	if err != nil {
		return nil, err
	}
	for _, one := range all {
		if k, ok := key(one); ok {
			if r, there := found[k]; there {
				answers[one] = r
			}
		}
	}
	return answers, nil
}
