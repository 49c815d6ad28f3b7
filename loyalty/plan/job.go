package plan

import (
	"time"

	"github.com/riverqueue/river"
)

// Queue is where limits begin anew.
const Queue = "limits"

// LimitReset is the job that begins plans' new periods, once a minute.
type LimitReset struct{}

// Kind is the job's name in River.
func (LimitReset) Kind() string { return "limit_reset" }

// InsertOpts makes the job unique per minute. It is not tried again: the next minute
// has a job of its own.
func (LimitReset) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: Queue, MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByPeriod: time.Minute}}
}
