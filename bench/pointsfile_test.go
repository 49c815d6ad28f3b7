package bench_test

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sello/bench"
)

func TestWriteFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := bench.FileOptions{
		Name: "puntos.csv", Rows: 4000, BadPercent: 2, Seed: 5,
		New: bench.People{From: 5000, To: 5400}, Known: bench.People{To: 5000},
	}

	f, err := bench.WriteFile(dir, o)
	if err != nil {
		t.Fatal(err)
	}

	if len(f.Bad) != 80 || len(f.Good) != 3920 {
		t.Errorf("rows: got %d bad and %d good, want 80 and 3920", len(f.Bad), len(f.Good))
	}
	if f.Created != 400 {
		t.Errorf("created: got %d, want 400", f.Created)
	}
	kinds := map[string]int{}
	line := 0
	for _, b := range f.Bad {
		kinds[b.Kind]++
		if b.Line <= line || b.Line < 4 {
			t.Errorf("bad rows out of order: line %d after %d", b.Line, line)
		}
		line = b.Line
	}
	if len(kinds) != 11 || kinds["comillas_sin_cerrar"] != 1 {
		t.Errorf("kinds: got %v", kinds)
	}
	first, err := os.ReadFile(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(first)) != f.Bytes {
		t.Errorf("bytes: got %d, want %d", f.Bytes, len(first))
	}
	if _, err := bench.WriteFile(dir, o); err != nil {
		t.Fatal(err)
	}
	again, err := os.ReadFile(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(first), string(again)); diff != "" {
		t.Errorf("the same options gave other bytes (-first +second):\n%.500s", diff)
	}
}

func TestWriteFileRefusesWhatCannotBe(t *testing.T) {
	t.Parallel()

	_, err := bench.WriteFile(t.TempDir(), bench.FileOptions{Name: "x.csv", Rows: 10, New: bench.People{To: 5}})

	if err == nil {
		t.Error("10 good rows of 5 people: got no error")
	}
}
