package graph

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/uuid"

	"sello/loyalty"
)

// TestMessages: every code has its own words in every language, and asks for the
// same facts in all of them.
func TestMessages(t *testing.T) {
	t.Parallel()
	facts := func(text string) []string {
		var names []string
		for rest := text; ; {
			_, after, found := strings.Cut(rest, "{")
			if !found {
				slices.Sort(names)
				return names
			}
			name, behind, _ := strings.Cut(after, "}")
			names, rest = append(names, name), behind
		}
	}
	for _, code := range loyalty.Codes() {
		w, ok := messages[code]
		if !ok {
			t.Errorf("%s has no message", code)
			continue
		}
		seen := map[string]string{}
		for language, text := range map[string]string{"en": w.en, "es": w.es, "pt": w.pt, "vi": w.vi} {
			if strings.TrimSpace(text) == "" || !strings.HasSuffix(text, ".") {
				t.Errorf("%s in %s: got %q, want a sentence", code, language, text)
			}
			if twin := seen[text]; twin != "" {
				t.Errorf("%s: %s and %s have the same words", code, twin, language)
			}
			seen[text] = language
			if !slices.Equal(facts(text), facts(w.en)) {
				t.Errorf("%s in %s names the facts %v, in English %v", code, language, facts(text), facts(w.en))
			}
		}
	}
	for code := range messages {
		if !slices.Contains(loyalty.Codes(), code) {
			t.Errorf("there is a message for %s, which is no code", code)
		}
	}
}

func TestMessage(t *testing.T) {
	t.Parallel()
	params := map[string]string{"available": "12.5"}
	for _, tt := range []struct {
		language, want string
		code           loyalty.Code
	}{
		{"en", "Not enough is available on the card: 12.5.", loyalty.CodeInsufficientBalance},
		{"vi", "Thẻ không đủ số dư: 12.5.", loyalty.CodeInsufficientBalance},
		{"", "Not enough is available on the card: 12.5.", loyalty.CodeInsufficientBalance},
		{"pt", "NEW_CODE", "NEW_CODE"},
	} {
		if got := message(tt.language, tt.code, params); got != tt.want {
			t.Errorf("message(%q, %s): got %q, want %q", tt.language, tt.code, got, tt.want)
		}
	}
}

// FuzzCursor: what is no cursor of the list is refused as the caller's mistake,
// and what is taken gives text that PostgreSQL takes, in as many parts as asked.
func FuzzCursor(f *testing.F) {
	id := uuid.NewString()
	for _, seed := range []string{
		"", "x", "MWNhcmRz", cursor("cards", id), cursor("card", id), cursor("cards", id, id), cursor("cards", ""),
		cursor("cards", "\xff"), cursor("cards", "a\x00b"), cursor("cards", "1\n2"), strings.Repeat("A", 2001), "====", "MWNhcmRzCjE=",
		cursor("registered", "9223372036854775807", id), cursor("registered", "-9223372036854775808", id),
	} {
		f.Add(seed, 1)
		f.Add(seed, 3)
	}
	f.Fuzz(func(t *testing.T, after string, parts int) {
		parts = 1 + max(0, parts%4)
		key, err := parseCursor("cards", &after, parts)
		switch {
		case err != nil:
			if shown := present(t.Context(), err); shown.Extensions["code"] != codeBadUserInput || key != nil {
				t.Fatalf("parseCursor(%q): got %v with %v", after, err, key)
			}
		case after == "":
			if key != nil {
				t.Fatalf("parseCursor of nothing: got %q", key)
			}
		default:
			if len(key) != parts {
				t.Fatalf("parseCursor(%q): got %d parts, want %d", after, len(key), parts)
			}
			for _, k := range key {
				if !utf8.ValidString(k) || bytes.IndexByte([]byte(k), 0) >= 0 {
					t.Fatalf("parseCursor(%q): %q is no text", after, k)
				}
			}
			again, err := parseCursor("cards", new(cursor("cards", key...)), parts)
			if err != nil || !slices.Equal(again, key) {
				t.Fatalf("parseCursor(%q) does not come back: %q, %v", after, again, err)
			}
		}
		for name, err := range map[string]error{
			"afterID": second(afterID("cards", &after)), "afterNumber": second(afterNumber("cards", &after)),
			"afterRegistered": second(afterRegistered(&after)), "afterPlace": second(afterPlace(&after)), "afterEvent": second(afterEvent(&after)),
		} {
			if err != nil && present(t.Context(), err).Extensions["code"] != codeBadUserInput {
				t.Fatalf("%s(%q): got %v", name, after, err)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestPageSize(t *testing.T) {
	t.Parallel()
	for first, want := range map[int]int{1: 1, 25: 25, 100: 100, 0: 0, -1: 0, 101: 0, 99999999999: 0} {
		n, err := pageSize(&first, maxPage)
		if n != want || (err == nil) != (want > 0) {
			t.Errorf("pageSize(%d): got %d, %v; want %d", first, n, err, want)
		}
	}
	if n, err := pageSize(nil, maxPage); n != defaultPage || err != nil {
		t.Errorf("pageSize(nil): got %d, %v", n, err)
	}
}
