package main

import (
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// serveGCPercent is how far the heap of a server may grow between two collections,
// in hundredths of what lives: a request leaves some ten kilobytes behind, a server
// at rest holds some ten megabytes, and at Go's own 100 a busy one would spend a
// tenth of its time on collections.
const serveGCPercent = 400

// memoryShare of the memory that the control group allows is where collections
// come as often as they must.
const memoryShare = 0.75

// tuneMemory sets the collector for a server, where the environment (GOGC,
// GOMEMLIMIT), which wins, does not.
func tuneMemory(config Config) {
	if config.GCPercent == "" {
		debug.SetGCPercent(serveGCPercent)
	}
	if config.MemoryLimit == "" {
		if allowed := allowedMemory(); allowed < math.MaxInt64 {
			debug.SetMemoryLimit(int64(memoryShare * float64(allowed)))
		}
	}
}

// allowedMemory is the control group's limit in bytes, of either version, or
// math.MaxInt64 where there is none.
func allowedMemory() int64 {
	for _, path := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		// "max" is no limit, and so is what version 1 says instead, near 2^63.
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 && n < 1<<60 {
			return n
		}
	}
	return math.MaxInt64
}
