//go:build !linux

package dbtest

import "os"

// tempDir is where the private server lies.
func tempDir() string { return os.TempDir() }
