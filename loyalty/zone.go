package loyalty

import (
	"sync"
	"time"
)

// zones are the time zones that were asked for, by name: time.LoadLocation reads
// files each time. What it does not know is not kept, so they are as many as there
// are zones.
var zones sync.Map

// Zone is the time zone of a company.
func Zone(name string) (*time.Location, error) {
	if zone, ok := zones.Load(name); ok {
		return zone.(*time.Location), nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, err
	}
	zones.Store(name, zone)
	return zone, nil
}
