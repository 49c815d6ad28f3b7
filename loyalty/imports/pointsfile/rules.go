package pointsfile

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of spec/pretii.md 3.2 and 4.3, in characters.
const (
	MaxName     = 120
	MaxEmail    = 254
	MinDocument = 3
	MaxDocument = 30
	// MaxPoints is the most points one row or call may assign.
	MaxPoints = 1_000_000
	// maxValue is the length of valor in the list of errors (4.6).
	maxValue = 100
)

// The Check functions are the rules of one field each, for a row of a file
// (4.3) and for the creation of a customer (3.2), whose messages in campos are
// the [Messages] of the same codes. They take the text as sent and return the
// value to store with an empty code, or the code of the rule it breaks.

// CheckFirstName trims nombres, which is required.
func CheckFirstName(s string) (string, Code) {
	s = name(s)
	switch {
	case s == "":
		return "", FirstNameMissing
	case longerThan(s, MaxName):
		return "", FirstNameTooLong
	}
	return s, ""
}

// CheckLastName trims apellidos, which may be blank.
func CheckLastName(s string) (string, Code) {
	s = name(s)
	if longerThan(s, MaxName) {
		return "", LastNameTooLong
	}
	return s, ""
}

// CheckEmail trims and lower-cases email, which is required.
func CheckEmail(s string) (string, Code) {
	s = trim(s)
	switch {
	case s == "":
		return "", EmailMissing
	case !ValidEmail(s):
		return "", EmailInvalid
	}
	return strings.ToLower(s), ""
}

// CheckDocument trims documento_de_identidad, which may be blank.
func CheckDocument(s string) (string, Code) {
	s = trim(s)
	if s != "" && !ValidDocument(s) {
		return "", DocumentInvalid
	}
	return s, ""
}

// CheckPoints reads the cell puntos: digits, also with a fraction of one or
// two zeros behind "." or ",", up to MaxPoints. "1.000" is refused because it
// means 1 in one country and 1000 in another. has is false for a blank cell.
func CheckPoints(s string) (points int64, has bool, code Code) {
	s = trim(s)
	if s == "" {
		return 0, false, ""
	}
	i := 0
	for ; i < len(s) && '0' <= s[i] && s[i] <= '9'; i++ {
		points = points*10 + int64(s[i]-'0')
		if points > MaxPoints {
			return 0, false, PointsInvalid
		}
	}
	switch fraction := s[i:]; {
	case i == 0:
		return 0, false, PointsInvalid
	case fraction == "":
	case fraction == ".0", fraction == ".00", fraction == ",0", fraction == ",00":
	default:
		return 0, false, PointsInvalid
	}
	return points, true, ""
}

// ValidEmail tells whether s, already trimmed, has one "@", a dot inside its
// domain, no spaces and at most MaxEmail characters (3.2). Characters that
// nobody can see, and the mark of a character that could not be decoded, count
// as spaces: with them two equal-looking addresses would be two customers.
func ValidEmail(s string) bool {
	if longerThan(s, MaxEmail) {
		return false
	}
	at := strings.IndexByte(s, '@')
	if at < 1 {
		return false
	}
	domain := s[at+1:]
	if strings.IndexByte(domain, '@') >= 0 {
		return false
	}
	// A dot with something on both sides.
	if len(domain) < 3 || strings.IndexByte(domain[1:len(domain)-1], '.') < 0 {
		return false
	}
	for _, r := range s {
		if r <= ' ' || r == 0x7f || r > 0x7f && (!unicode.IsPrint(r) || r == utf8.RuneError) {
			return false
		}
	}
	return true
}

// ValidDocument tells whether s, already trimmed, is 3 to 30 letters, digits,
// "-" or "." (3.2). A number that a spreadsheet has put into scientific
// notation is not, because of its "+".
func ValidDocument(s string) bool {
	n := 0
	for _, r := range s {
		n++
		switch {
		case '0' <= r && r <= '9', 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', r == '-', r == '.':
		case r > 0x7f && unicode.IsLetter(r):
		default:
			return false
		}
	}
	return MinDocument <= n && n <= MaxDocument
}

// name trims a name and drops its control characters: PostgreSQL takes no NUL
// and nobody means them. In an email, a document or points they are an error
// instead, since what is left could be somebody else's.
func name(s string) string { return trim(CleanText(s)) }

// CleanText drops control characters, NUL among them, but for tab and line
// ends.
func CleanText(s string) string {
	for i := range len(s) {
		c := s[i]
		if c < 0x20 && c != '\t' && c != '\n' && c != '\r' || c == 0x7f || c == 0xc2 && i+1 < len(s) && s[i+1] < 0xa0 {
			return strings.Map(func(r rune) rune {
				if unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r' {
					return -1
				}
				return r
			}, s)
		}
	}
	return s
}

// trim takes white space off both ends, and the two invisible marks that
// copying out of web pages and joining of files leave there.
func trim(s string) string {
	if s == "" {
		return s
	}
	if s[0] < utf8.RuneSelf && s[len(s)-1] < utf8.RuneSelf {
		// Most cells. What is left may begin with such a mark again.
		t := strings.TrimSpace(s)
		if len(t) == len(s) {
			return s
		}
		s = t
	}
	return strings.TrimFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || r == '\ufeff' || r == '\u200b'
	})
}
