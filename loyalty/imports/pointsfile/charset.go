package pointsfile

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
)

// Encoding is the character encoding of a file.
type Encoding string

// The encodings of spec/pretii.md 4.2.
const (
	UTF8        Encoding = "utf-8"
	UTF16LE     Encoding = "utf-16le"
	UTF16BE     Encoding = "utf-16be"
	Windows1252 Encoding = "windows-1252"
)

// Facts is what a first pass over the bytes of a file tells about it.
type Facts struct {
	// SHA256 is the hash of the bytes as uploaded, the identity of "the same
	// file again" (spec/pretii.md 4.5).
	SHA256 [32]byte
	// Size is the number of bytes.
	Size int64
	// Encoding is that of the BOM; without one UTF8 when the whole file is
	// valid UTF-8, else Windows1252.
	Encoding Encoding
	// BOM is the length of the byte order mark in bytes, 0 without one.
	BOM int
	// WellFormed tells that the whole file is valid UTF-8. It may be false
	// with Encoding UTF8, because a BOM decides; the bytes that are wrong are
	// then read as U+FFFD.
	WellFormed bool
	// Binary tells that this is no text: [Open] refuses it with NotCSV.
	Binary bool
}

// Decode returns the text of src, which stands at the first byte of the file,
// as valid UTF-8 without the byte order mark.
func Decode(src io.Reader, facts Facts) (io.Reader, error) {
	if facts.BOM > 0 {
		if _, err := io.CopyN(io.Discard, src, int64(facts.BOM)); err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("skip the byte order mark: %w", err)
		}
	}
	switch facts.Encoding {
	case UTF16LE:
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewDecoder().Reader(src), nil
	case UTF16BE:
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewDecoder().Reader(src), nil
	case Windows1252:
		return charmap.Windows1252.NewDecoder().Reader(src), nil
	case UTF8:
		if facts.WellFormed {
			return src, nil
		}
		return transform.NewReader(src, runes.ReplaceIllFormed()), nil
	default:
		return nil, fmt.Errorf("decode a points file: unknown encoding %q", facts.Encoding)
	}
}
