//go:build race

package pointsfile_test

// mega is smaller under the race detector, which looks at every byte.
const mega = 1 << 16
