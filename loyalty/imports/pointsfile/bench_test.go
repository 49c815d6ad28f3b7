package pointsfile_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"sello/loyalty/imports/pointsfile"
)

const benchRows = 100_000

// benchFile is a file of benchRows rows of about 60 bytes. quote is put around
// every cell.
func benchFile(quote string) string {
	var b strings.Builder
	b.WriteString("nombres,apellidos,email,documento_de_identidad,puntos\n")
	for i := range benchRows {
		fmt.Fprintf(&b, "%[1]sAna María%[1]s,%[1]sQuispe%[1]s,%[1]sana.quispe%06[2]d@example.com%[1]s,%[1]s%08[2]d%[1]s,%[1]s%[3]d%[1]s\n",
			quote, i, i%500)
	}
	return b.String()
}

func drain(b *testing.B, f *pointsfile.File) int {
	n := 0
	for {
		row, err := f.Next()
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil || row.ErrorCode != "" {
			b.Fatalf("Next: got %+v (error %v)", row, err)
		}
		n++
	}
}

// BenchmarkReader reads, splits and checks rows, without the first pass.
func BenchmarkReader(b *testing.B) {
	for _, bb := range []struct {
		name, content string
		facts         pointsfile.Facts
	}{
		{"utf-8", benchFile(""), pointsfile.Facts{Encoding: pointsfile.UTF8, WellFormed: true}},
		{"quoted", benchFile(`"`), pointsfile.Facts{Encoding: pointsfile.UTF8, WellFormed: true}},
		{"windows-1252", strings.ReplaceAll(benchFile(""), "í", "\xed"), pointsfile.Facts{Encoding: pointsfile.Windows1252}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(int64(len(bb.content)))
			b.ReportAllocs()
			rows := 0
			for b.Loop() {
				f, err := pointsfile.Open(strings.NewReader(bb.content), bb.facts)
				if err != nil {
					b.Fatal(err)
				}
				rows += drain(b, f)
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkSniffer is the first pass: SHA-256 and the look at every byte.
func BenchmarkSniffer(b *testing.B) {
	content := benchFile("")
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		if facts, err := pointsfile.Inspect(strings.NewReader(content)); err != nil || facts.Encoding != pointsfile.UTF8 {
			b.Fatalf("Inspect: got %+v (error %v)", facts, err)
		}
	}
	b.ReportMetric(float64(benchRows*b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkErrorFile writes rejected rows.
func BenchmarkErrorFile(b *testing.B) {
	raw := "Ana María,Quispe,ana.quispe@example.com,12345678,12.5"
	e, err := pointsfile.NewErrorFile(io.Discard, strings.Split("nombres,apellidos,email,dni,puntos", ","), ';')
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	reason := pointsfile.Reason(pointsfile.PointsInvalid, 0)
	for line := int64(2); b.Loop(); line++ {
		if err := e.Write(raw, line, reason); err != nil {
			b.Fatal(err)
		}
	}
}
