package db

// Feed placeholder
type Feed struct{}
