//go:build !race

package pointsfile_test

// mega is the million of the long inputs.
const mega = 1 << 20
