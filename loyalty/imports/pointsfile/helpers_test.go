package pointsfile_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"sello/loyalty/imports/pointsfile"
)

// open opens a file that must not be refused.
func open(t testing.TB, content string) *pointsfile.File {
	t.Helper()
	f, _, err := pointsfile.OpenSeeker(strings.NewReader(content))
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return f
}

// rows reads a file to its end.
func rows(t testing.TB, f *pointsfile.File) []pointsfile.Row {
	t.Helper()
	var all []pointsfile.Row
	for {
		row, err := f.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("Next after %d rows: %v", len(all), err)
		}
		all = append(all, row)
	}
}

// refusalOf opens a file and returns the code with which it is refused.
func refusalOf(t testing.TB, content string) (pointsfile.Code, string) {
	t.Helper()
	_, _, err := pointsfile.OpenSeeker(strings.NewReader(content))
	if r, ok := errors.AsType[*pointsfile.Refusal](err); ok {
		return r.Code, r.Message
	}
	if err != nil {
		t.Fatalf("Open: got fault %v, want a refusal or none", err)
	}
	return "", ""
}

// repeated is a stream of head, then n times unit, then tail, that takes no
// memory of its own.
func repeated(head, unit string, n int, tail string) io.Reader {
	block := strings.Repeat(unit, max(1, 64<<10/len(unit)))
	blocks := n * len(unit) / len(block)
	return io.MultiReader(strings.NewReader(head), &blockReader{block: block, left: blocks}, strings.NewReader(tail))
}

type blockReader struct {
	block string
	off   int
	left  int
}

func (b *blockReader) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.block[b.off:])
	if b.off += n; b.off == len(b.block) {
		b.off, b.left = 0, b.left-1
	}
	return n, nil
}
