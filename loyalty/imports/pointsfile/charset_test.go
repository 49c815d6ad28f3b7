package pointsfile_test

import (
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"sello/loyalty/imports/pointsfile"
)

const sample = "nombres;email;puntos\r\nÍñigo Núñez;inigo@example.com;50,00\r\nZoë € “x”;zoe@example.com;7\r\n"

func TestOpenEncodings(t *testing.T) {
	t.Parallel()

	utf16 := func(e unicode.Endianness) string {
		s, err := unicode.UTF16(e, unicode.UseBOM).NewEncoder().String(sample)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	ansi, err := charmap.Windows1252.NewEncoder().String(sample)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, content string
		want          pointsfile.Encoding
		bom           int
	}{
		{"UTF-8", sample, pointsfile.UTF8, 0},
		{"UTF-8 with BOM", "\ufeff" + sample, pointsfile.UTF8, 3},
		{"UTF-16LE", utf16(unicode.LittleEndian), pointsfile.UTF16LE, 2},
		{"UTF-16BE", utf16(unicode.BigEndian), pointsfile.UTF16BE, 2},
		{"Windows-1252", ansi, pointsfile.Windows1252, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, facts, err := pointsfile.OpenSeeker(strings.NewReader(tt.content))
			if err != nil {
				t.Fatalf("OpenSeeker: %v", err)
			}
			if facts.Encoding != tt.want || facts.BOM != tt.bom || facts.Size != int64(len(tt.content)) ||
				facts.SHA256 != sha256.Sum256([]byte(tt.content)) {
				t.Errorf("facts: got %+v, want %s with a BOM of %d", facts, tt.want, tt.bom)
			}
			got := rows(t, f)
			want := []pointsfile.Row{
				{
					Line: 2, FirstName: "Íñigo Núñez", Email: "inigo@example.com", EmailRaw: "inigo@example.com",
					Points: 50, HasPoints: true, Raw: `Íñigo Núñez,inigo@example.com,"50,00"`,
				},
				{
					Line: 3, FirstName: "Zoë € “x”", Email: "zoe@example.com", EmailRaw: "zoe@example.com",
					Points: 7, HasPoints: true, Raw: "Zoë € “x”,zoe@example.com,7",
				},
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

// One byte that is not UTF-8 at the end of a long file makes all of it
// Windows-1252; a BOM stands even then, and the byte becomes U+FFFD.
func TestOpenLateInvalidByte(t *testing.T) {
	t.Parallel()

	body := "nombres,email\nÑ,a@b.pe\n" + strings.Repeat("Ana,ana@example.com\n", 20_000) + "Jos\xe9,j@b.pe"
	last := func(content string) pointsfile.Row {
		all := rows(t, open(t, content))
		return all[len(all)-1]
	}
	if got := last(body); got.FirstName != "José" {
		t.Errorf("without BOM: got %q, want %q", got.FirstName, "José")
	}
	if got := rows(t, open(t, body))[0]; got.FirstName != "Ã‘" {
		t.Errorf("first row without BOM: got %q, want %q", got.FirstName, "Ã‘")
	}
	if got := last("\ufeff" + body); got.FirstName != "Jos\ufffd" {
		t.Errorf("with BOM: got %q, want %q", got.FirstName, "Jos\ufffd")
	}
}

// However the bytes are cut into writes, the facts are the same.
func TestSnifferCuts(t *testing.T) {
	t.Parallel()

	for _, content := range []string{
		"", "a", sample, "\ufeff" + sample, sample + "\xc3", sample + "\xff", sample + "\xf0\x9f\x98", sample + "😀",
		"\xff\xfea\x00", "\xed\xa0\x80 surrogate", "\xf8", "a\x00b",
	} {
		want, err := pointsfile.Inspect(strings.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		for step := 1; step <= 5; step++ {
			s := pointsfile.NewSniffer()
			for rest := content; rest != ""; {
				n := min(step, len(rest))
				if got, err := s.Write([]byte(rest[:n])); got != n || err != nil {
					t.Fatalf("Write: got %d, %v", got, err)
				}
				rest = rest[n:]
			}
			if diff := cmp.Diff(want, s.Facts()); diff != "" {
				t.Errorf("facts of %q in steps of %d (-want +got):\n%s", content, step, diff)
			}
		}
	}
	truncated, err := pointsfile.Inspect(strings.NewReader("Jos\xc3"))
	if err != nil || truncated.WellFormed || truncated.Encoding != pointsfile.Windows1252 {
		t.Errorf("cut character at the end: got %+v (error %v), want Windows-1252", truncated, err)
	}
}

func TestOpenRefusesBinary(t *testing.T) {
	t.Parallel()

	noise := make([]byte, 1<<20)
	random := rand.NewChaCha8([32]byte{7})
	if _, err := random.Read(noise); err != nil {
		t.Fatal(err)
	}
	utf16, err := unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewEncoder().String(sample)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"PNG":                  "\x89PNG\r\n\x1a\n rest",
		"xlsx":                 "PK\x03\x04 nombres,email",
		"xls":                  "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
		"PDF":                  "%PDF-1.7\nnombres,email\n",
		"NUL in a text":        "nombres,email\nAna,a@b\x00.pe\n",
		"NUL behind UTF-8 BOM": "\ufeffnombres,email\nA\x00,a@b.pe\n",
		"UTF-16 without BOM":   utf16,
		"UTF-32":               "\xff\xfe\x00\x00n\x00\x00\x00",
		"control characters":   strings.Repeat("abc\x01\x02", 50),
		"noise":                string(noise),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, message := refusalOf(t, content)
			if code != pointsfile.NotCSV || message != "El archivo no es un CSV válido." {
				t.Errorf("Open: got %q %q, want %q", code, message, pointsfile.NotCSV)
			}
		})
	}
}

// UTF-16 can write a NUL, which PostgreSQL cannot hold: names lose it, and
// where what is left could be another customer the row is rejected.
func TestRowsNeverHoldNUL(t *testing.T) {
	t.Parallel()

	content, err := unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewEncoder().String(
		"nombres,apellidos,email,dni,puntos,otra\n" +
			"A\x00na\x01,\x00,ana@b.pe,123,5,\x00x\n" +
			"Ana,,an\x00a@b.pe,123,5\nAna,,ana2@b.pe,12\x003,5\nAna,,ana3@b.pe,123,5\x00\n\x00,,b@b.pe,,\n")
	if err != nil {
		t.Fatal(err)
	}
	got := rows(t, open(t, content))
	want := []pointsfile.Row{
		{
			Line: 2, FirstName: "Ana", Email: "ana@b.pe", EmailRaw: "ana@b.pe", Document: "123", Points: 5, HasPoints: true,
			Raw: "Ana\x01,,ana@b.pe,123,5,x",
		},
		{Line: 3, ErrorCode: pointsfile.EmailInvalid, ErrorValue: "ana@b.pe", Raw: "Ana,,ana@b.pe,123,5,"},
		{Line: 4, ErrorCode: pointsfile.DocumentInvalid, ErrorValue: "123", Raw: "Ana,,ana2@b.pe,123,5,"},
		{Line: 5, ErrorCode: pointsfile.PointsInvalid, ErrorValue: "5", Raw: "Ana,,ana3@b.pe,123,5,"},
		{Line: 6, ErrorCode: pointsfile.FirstNameMissing, Raw: ",,b@b.pe,,,"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestDecodeUnknownEncoding(t *testing.T) {
	t.Parallel()

	if r, err := pointsfile.Decode(strings.NewReader("x"), pointsfile.Facts{}); err == nil {
		text, _ := io.ReadAll(r)
		t.Errorf("Decode with no encoding: got %q, want an error", text)
	}
}
