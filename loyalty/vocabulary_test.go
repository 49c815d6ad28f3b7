package loyalty_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"sello/loyalty"
)

func TestSearchKey(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"":                    "",
		"  JOSÉ  Muñoz-Pérez": "jose munoz perez",
		"Nguyễn Văn Đức":      "nguyen van duc",
		"ĐẶNG":                "dang",
		"O'Higgins":           "o higgins",
		"João da Conceição":   "joao da conceicao",
		"Straße":              "strasse",
		"Smørrebrød Łódź":     "smorrebrod lodz",
		"--- ***":             "",
		"Ana2 3":              "ana2 3",
		"李 小龙":                "李 小龙",
		"e\u0301":             "e",
		"tab\tand\nline":      "tab and line",
	} {
		if got := loyalty.SearchKey(name); got != want {
			t.Errorf("SearchKey(%q): got %q, want %q", name, got, want)
		}
	}
}

func FuzzSearchKey(f *testing.F) {
	f.Add("  JOSÉ  Muñoz-Pérez")
	f.Fuzz(func(t *testing.T, name string) {
		key := loyalty.SearchKey(name)
		if utf8.ValidString(name) && !utf8.ValidString(key) {
			t.Errorf("SearchKey(%q) is no text: %q", name, key)
		}
		if strings.Join(strings.Fields(key), " ") != key {
			t.Errorf("SearchKey(%q): got %q, want single spaces between words", name, key)
		}
	})
}

func TestGlobalID(t *testing.T) {
	t.Parallel()
	id := uuid.New()
	text := loyalty.GlobalID("Card", id.String())
	if got, ok := loyalty.ParseUUID("Card", text); !ok || got != id {
		t.Errorf("ParseUUID of a card's id: got %v, %t, want %v", got, ok, id)
	}
	if got, ok := loyalty.ParseUUID("Customer", text); ok {
		t.Errorf("ParseUUID of a card's id as a customer's: got %v", got)
	}
	for _, bad := range []string{"", "x", "!", loyalty.GlobalID("Card", ""), loyalty.GlobalID("", "1"), strings.Repeat("A", 300), "Q2FyZA"} {
		if kind, key, ok := loyalty.ParseGlobalID(bad); ok {
			t.Errorf("ParseGlobalID(%q): got %q %q", bad, kind, key)
		}
	}
	if got, ok := loyalty.ParseUUID("Card", loyalty.GlobalID("Card", "7")); ok {
		t.Errorf("ParseUUID of no UUID: got %v", got)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	refusal := loyalty.Refuse(loyalty.CodeInsufficientBalance, "points")
	more := refusal.With("available", "5").With("asked", "6")
	if len(refusal.Params) != 0 {
		t.Errorf("With changed the refusal it was called on: %v", refusal.Params)
	}
	if diff := cmp.Diff(map[string]string{"available": "5", "asked": "6"}, more.Params); diff != "" {
		t.Errorf("params (-want +got):\n%s", diff)
	}
	if got := loyalty.CodeOf(fmt.Errorf("post: %w", more)); got != loyalty.CodeInsufficientBalance {
		t.Errorf("CodeOf a wrapped refusal: got %q", got)
	}
	if got := loyalty.CodeOf(errors.New("a fault")); got != "" {
		t.Errorf("CodeOf a fault: got %q", got)
	}
	if got := more.Error(); got != "refused: INSUFFICIENT_BALANCE (points)" {
		t.Errorf("Error: got %q", got)
	}
}

// Codes is what GraphQL's enum, the messages and the legacy tables are held
// against: one that is missing there is missing everywhere.
func TestCodesListsEveryCode(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "error.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := map[loyalty.Code]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, "Code") {
			return true
		}
		if literal, ok := spec.Values[0].(*ast.BasicLit); ok {
			code, _ := strconv.Unquote(literal.Value)
			declared[loyalty.Code(code)] = true
		}
		return true
	})
	listed := map[loyalty.Code]bool{}
	for _, code := range loyalty.Codes() {
		if listed[code] {
			t.Errorf("Codes lists %s twice", code)
		}
		listed[code] = true
	}
	if diff := cmp.Diff(declared, listed); diff != "" {
		t.Errorf("codes (-declared +listed):\n%s", diff)
	}
}

type thing struct{ owner int }

func TestTogetherReadsOnce(t *testing.T) {
	t.Parallel()
	all := []*thing{{10}, {10}, {20}, {0}}
	batch := loyalty.NewBatch(all)
	var reads atomic.Int64
	load := func(all []*thing) (map[*thing]string, error) {
		return loyalty.Lookup(all, func(o *thing) (int, bool) { return o.owner, o.owner != 0 }, func(ids []int) (map[int]string, error) {
			reads.Add(1)
			if len(ids) != 2 {
				t.Errorf("read: got ids %v, want 10 and 20 once each", ids)
			}
			return map[int]string{10: "ten", 20: "twenty"}, nil
		})
	}
	got := make([]string, len(all))
	var wg sync.WaitGroup
	for i, one := range all {
		wg.Go(func() {
			var err error
			if got[i], err = loyalty.Together(batch, one, "owner", load); err != nil {
				t.Errorf("Together: %v", err)
			}
		})
	}
	wg.Wait()
	if diff := cmp.Diff([]string{"ten", "ten", "twenty", ""}, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if n := reads.Load(); n != 1 {
		t.Errorf("reads for 4 objects: got %d, want 1", n)
	}
	// Another question is another read; the error of one is everybody's.
	failed := errors.New("away")
	for _, one := range all {
		_, err := loyalty.Together(batch, one, "other", func([]*thing) (map[*thing]string, error) {
			reads.Add(1)
			return nil, failed
		})
		if !errors.Is(err, failed) {
			t.Errorf("Together after a failed read: got error %v", err)
		}
	}
	if n := reads.Load(); n != 2 {
		t.Errorf("reads for two questions: got %d, want 2", n)
	}
	// Without a batch it is asked for alone.
	alone, err := loyalty.Together(nil, all[2], "owner", func(all []*thing) (map[*thing]int, error) {
		return map[*thing]int{all[0]: len(all)}, nil
	})
	if err != nil || alone != 1 {
		t.Errorf("Together without a batch: got %d objects, error %v, want 1", alone, err)
	}
}

func TestLookupAsksNothingForNothing(t *testing.T) {
	t.Parallel()
	got, err := loyalty.Lookup([]*thing{{0}}, func(o *thing) (int, bool) { return 0, false }, func([]int) (map[int]string, error) {
		t.Error("read without ids")
		return nil, nil
	})
	if err != nil || len(got) != 0 {
		t.Errorf("Lookup: got %v, error %v", got, err)
	}
}
