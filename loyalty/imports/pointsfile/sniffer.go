package pointsfile

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"unicode/utf8"
)

// Sniffer is the first pass over an upload: feed it the bytes while they are
// spooled (io.TeeReader, io.MultiWriter), then ask for the [Facts]. It keeps a
// few bytes whatever the size of the file. It is not safe for concurrent use.
type Sniffer struct {
	sum      hash.Hash
	size     int64
	head     []byte // first bytes of the file, for BOM and magic numbers
	carry    []byte // a character cut by the end of a Write
	invalid  bool   // not UTF-8
	nul      bool
	controls int64
}

// headSize is enough for the longest magic number and a UTF-32 BOM.
const headSize = 8

// NewSniffer returns a Sniffer that has seen nothing.
func NewSniffer() *Sniffer {
	return &Sniffer{sum: sha256.New(), head: make([]byte, 0, headSize), carry: make([]byte, 0, utf8.UTFMax)}
}

// Write takes the next bytes of the file. It never fails.
func (s *Sniffer) Write(p []byte) (int, error) {
	n := len(p)
	s.sum.Write(p)
	s.size += int64(n)
	if room := headSize - len(s.head); room > 0 {
		s.head = append(s.head, p[:min(room, n)]...)
	}
	s.countControls(p)
	if !s.invalid {
		s.checkUTF8(p)
	}
	return n, nil
}

func (s *Sniffer) countControls(p []byte) {
	var controls int64
	for _, b := range p {
		if b < 0x20 || b == 0x7f {
			switch b {
			case '\t', '\n', '\r', '\f', '\v':
			case 0:
				s.nul = true
				controls++
			default:
				controls++
			}
		}
	}
	s.controls += controls
}

// checkUTF8 checks p, whose first and last character may be cut anywhere.
func (s *Sniffer) checkUTF8(p []byte) {
	for len(s.carry) > 0 && len(p) > 0 {
		s.carry = append(s.carry, p[0])
		p = p[1:]
		if !utf8.FullRune(s.carry) {
			continue
		}
		if !utf8.Valid(s.carry) {
			s.invalid = true
			return
		}
		s.carry = s.carry[:0]
	}
	whole := completeUTF8(p)
	if !utf8.Valid(p[:whole]) {
		s.invalid = true
		return
	}
	s.carry = append(s.carry, p[whole:]...)
}

// completeUTF8 is the length of p without a character that its end cuts.
func completeUTF8(p []byte) int {
	for i := len(p) - 1; i >= 0 && i >= len(p)-utf8.UTFMax+1; i-- {
		if utf8.RuneStart(p[i]) {
			if utf8.FullRune(p[i:]) {
				return len(p)
			}
			return i
		}
	}
	return len(p)
}

// magics are first bytes of files that people take for CSV because a
// spreadsheet opens them; some carry no NUL near their beginning.
var magics = []string{
	"PK\x03\x04", "PK\x05\x06", // xlsx, ods, zip
	"\xd0\xcf\x11\xe0", // xls
	"\x89PNG", "GIF8", "\xff\xd8\xff", "%PDF-", "\x1f\x8b",
	"\xff\xfe\x00\x00", "\x00\x00\xfe\xff", // UTF-32, which nothing here reads
}

// Facts tells what the bytes written so far are.
//
// A file without the BOM of UTF-16 that holds a NUL is binary (UTF-16 without
// a BOM among them), as is one that begins like a known binary format or of
// which more than a twentieth is control characters.
func (s *Sniffer) Facts() Facts {
	f := Facts{Size: s.size, WellFormed: !s.invalid && len(s.carry) == 0}
	s.sum.Sum(f.SHA256[:0])
	switch {
	case bytes.HasPrefix(s.head, []byte("\xef\xbb\xbf")):
		f.Encoding, f.BOM = UTF8, 3
	case bytes.HasPrefix(s.head, []byte("\xff\xfe")):
		f.Encoding, f.BOM = UTF16LE, 2
	case bytes.HasPrefix(s.head, []byte("\xfe\xff")):
		f.Encoding, f.BOM = UTF16BE, 2
	case f.WellFormed:
		f.Encoding = UTF8
	default:
		f.Encoding = Windows1252
	}
	for _, m := range magics {
		if bytes.HasPrefix(s.head, []byte(m)) {
			f.Binary = true
		}
	}
	if f.Encoding == UTF8 || f.Encoding == Windows1252 {
		f.Binary = f.Binary || s.nul || s.controls*20 > s.size
	}
	return f
}

// Inspect reads src to its end and tells what it is.
func Inspect(src io.Reader) (Facts, error) {
	s := NewSniffer()
	if _, err := io.Copy(s, src); err != nil {
		return Facts{}, fmt.Errorf("inspect a points file: %w", err)
	}
	return s.Facts(), nil
}
