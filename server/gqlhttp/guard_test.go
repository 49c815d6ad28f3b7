package gqlhttp_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"sello/server/gqlhttp"
	"sello/server/gqlhttp/internal/testschema"
)

// doubling makes n fragments that each spread the next one twice.
func doubling(n int) string {
	var b strings.Builder
	b.WriteString("{...F0}")
	for i := range n {
		fmt.Fprintf(&b, "fragment F%d on Query{...F%d ...F%d}", i, i+1, i+1)
	}
	fmt.Fprintf(&b, "fragment F%d on Query{__typename}", n)
	return b.String()
}

// blocks nests equal fields: each level has width of them, depth levels.
func blocks(field, leaf string, width, depth int) string {
	if depth == 0 {
		return leaf
	}
	return strings.Repeat(field+"{"+blocks(field, leaf, width, depth-1)+"}", width)
}

func numbered(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

const tenFields = "f00 f01 f02 f03 f04 f05 f06 f07 f08 f09 "

// attack is a document that must be turned away cheaply; reason is "" where
// only the budget counts (the document runs, or the parser refuses it).
type attack struct {
	name, document, reason string
	code                   string
}

const cardHead = `card(code:"1"){`

// attacks are the documents of the trials that this guard was built on, and
// the worst ones that its own limits leave possible.
func attacks() []attack {
	tooComplex := gqlhttp.CodeDocumentTooComplex
	return []attack{
		{"28 doubling fragments", doubling(28), gqlhttp.ReasonFields, tooComplex},
		{"24 doubling fragments", doubling(24), gqlhttp.ReasonFields, tooComplex},
		{"49 doubling fragments", doubling(49), gqlhttp.ReasonFields, tooComplex},
		{"doubling by inline fragments", "{" + strings.Repeat("...{...{", 25) + "__typename" + strings.Repeat("}}", 25) + "}", "", ""},
		{"50,000 duplicate fields", "{" + strings.Repeat("__typename ", 5900) + "}", gqlhttp.ReasonSameKey, tooComplex},
		{"3,000 duplicate fields", "{" + strings.Repeat("ok:viewer ", 3000) + "}", gqlhttp.ReasonSameKey, tooComplex},
		{"1,500 duplicate objects", "{" + strings.Repeat(cardHead+"id} ", 1500) + "}", gqlhttp.ReasonSameKey, tooComplex},
		{"7,000 directives", "{viewer" + strings.Repeat(" @a", 7000) + "}", gqlhttp.ReasonDirectives, tooComplex},
		{"20,000 directives on the operation", "query" + strings.Repeat(" @a", 20000) + "{viewer}", gqlhttp.ReasonDirectives, tooComplex},
		{"5,000 aliases", "{" + numbered(5000, "a%d:viewer ") + "}", gqlhttp.ReasonAliases, tooComplex},
		{"1,000 aliases", "{" + numbered(1000, "a%d:viewer ") + "}", gqlhttp.ReasonAliases, tooComplex},
		{"aliases multiplied by fragments", "{" + numbered(5, "c%d:card(code:\"1\"){...F}") + "}fragment F on Card{" + numbered(190, "a%d:id ") + "}", gqlhttp.ReasonAliases, tooComplex},
		{"200 introspections", "{" + numbered(200, "a%d:__schema{types{name fields{name}}}") + "}", gqlhttp.ReasonTokens, tooComplex},
		{"60 KiB comment", "#" + strings.Repeat("x", 60000) + "\n{viewer}", "", ""},
		{"30,000 comments", strings.Repeat("#\n", 30000) + "{viewer}", gqlhttp.ReasonTokens, tooComplex},
		{"depth 13", "{" + cardHead + strings.Repeat("parent{", 11) + "id" + strings.Repeat("}", 13), gqlhttp.ReasonDepth, tooComplex},
		{"depth 10,000", "{" + strings.Repeat("parent{", 9000), gqlhttp.ReasonDepth, tooComplex},
		{"depth by fragments", "{" + cardHead + "...F0}}" + numbered(20, "fragment F%d on Card{parent{...G%[1]d}}") + numbered(20, "fragment G%[1]d on Card{id}"), "", ""},
		{"depth by a chain of fragments", chain(20), gqlhttp.ReasonDepth, tooComplex},
		{"nested list values", "{echo(text:" + strings.Repeat("[", 9000), gqlhttp.ReasonValueDepth, tooComplex},
		{"nested object values", "{search(filter:" + strings.Repeat("{and:", 9000), gqlhttp.ReasonValueDepth, tooComplex},
		{"6 equal keys", "{" + strings.Repeat("viewer ", 6) + "}", gqlhttp.ReasonSameKey, tooComplex},
		{"201 selections", "{" + cardHead + strings.Repeat(tenFields[:4], 1) + numbered(201, "x%d ") + "}}", gqlhttp.ReasonSelections, tooComplex},
		{"201 selections by inline fragments", "{" + cardHead + numbered(40, "...{x%d y%[1]d z%[1]d w%[1]d v%[1]d}") + "}}", gqlhttp.ReasonSelections, tooComplex},
		{"51 fragments", "{viewer}" + numbered(51, "fragment F%d on Query{viewer}"), gqlhttp.ReasonFragments, tooComplex},
		{"11 operations", numbered(11, "query Q%d{viewer}"), gqlhttp.ReasonOperations, tooComplex},
		{"11 mutations by fragment", "mutation{...F}fragment F on Mutation{" + numbered(11, `a%d:cardActivate(code:"1"){id}`) + "}", gqlhttp.ReasonMutationFields, tooComplex},
		{"blocks of equal blocks", "{" + blocks(cardHead[:4]+`(code:"1")`, "", 1, 0) + cardHead + blocks("parent", "f00 f01", 4, 4) + "}}", gqlhttp.ReasonRepeated, tooComplex},
		{"equal blocks in fragments", "{" + cardHead + numbered(40, "...F%d ") + "}}" + numbered(40, "fragment F%d on Card{parent{"+tenFields+tenFields+"}}"), gqlhttp.ReasonRepeated, tooComplex},
		{"equal blocks in fragments with the names of keywords", "{" + cardHead + "...query ...mutation " + numbered(19, "...F%d ") + "}}fragment query on Card{parent{id}}fragment mutation on Card{parent{id}}fragment fragment on Card{parent{id}}" + numbered(19, "fragment F%d on Card{parent{id}}"), gqlhttp.ReasonRepeated, tooComplex},
		{"equal blocks in inline fragments", "{" + cardHead + strings.Repeat("...{parent{"+tenFields+"}}", 30) + "}}", gqlhttp.ReasonRepeated, tooComplex},
		{"equal leaves in fragments", "{" + cardHead + numbered(40, "...F%d ") + "}}" + numbered(40, "fragment F%d on Card{"+tenFields+tenFields+"}"), "", ""},
		{"20 equal blocks", "{" + cardHead + strings.Repeat("...{parent{"+strings.Repeat(tenFields, 4)+"}}", 21) + "}}", "", ""},
		{"20 equal blocks, nested", "{" + cardHead + strings.Repeat("...{parent{"+strings.Repeat("...{parent{"+strings.Repeat(tenFields, 2)+"}}", 5)+"}}", 4) + "}}", "", ""},
		{"one cost over the limit", `{cards(first:100){nodes{movements(first:100){seq}}}}`, "", gqlhttp.CodeCostLimitExceeded},
		{"unknown fields", "{" + numbered(199, "x%d ") + "}", "", "GRAPHQL_VALIDATION_FAILED"},
		{"a string of 60 KiB where a name should be", `{"` + strings.Repeat("é", 30000) + `"}`, "", "GRAPHQL_PARSE_FAILED"},
		{"defer", `{... @defer {viewer}}`, gqlhttp.ReasonDefer, tooComplex},
		{"NUL", `{echo(text:"a\u0000b")}`, "", gqlhttp.CodeBadRequest},
	}
}

// chain nests a field by fragments, each of which is flat.
func chain(n int) string {
	var b strings.Builder
	b.WriteString("{" + cardHead + "...F0}}")
	for i := range n {
		fmt.Fprintf(&b, "fragment F%d on Card{parent{...F%d}}", i, i+1)
	}
	fmt.Fprintf(&b, "fragment F%d on Card{id}", n)
	return b.String()
}

// TestAttacks holds every document to a budget of memory and to an answer of
// 16 KiB. CPU has no budget of its own on a shared machine; what these
// documents did without the guard (seconds to minutes, hundreds of megabytes)
// cannot be had without memory, but for the doubling fragments, which would not
// end at all.
func TestAttacks(t *testing.T) { // not parallel: it reads the process's memory
	h := gqlhttp.New(testschema.Schema(&testschema.Resolver{}), gqlhttp.Config{
		Introspection: allow,
		// The body limit is not what this is about.
		Limits: gqlhttp.Limits{BodyBytes: 1 << 20},
	})
	for _, tt := range attacks() {
		t.Run(tt.name, func(t *testing.T) {
			body, err := json.Marshal(map[string]any{"query": tt.document})
			if err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			w := httptest.NewRecorder()
			r := newPost(string(body))
			runtime.ReadMemStats(&before)
			h.ServeHTTP(w, r)
			runtime.ReadMemStats(&after)

			if got, most := after.TotalAlloc-before.TotalAlloc, uint64(20<<20); got > most {
				t.Errorf("allocated %d bytes, at most %d", got, most)
			}
			if got, most := w.Body.Len(), 16<<10; got > most {
				t.Errorf("answered with %d bytes, at most %d", got, most)
			}
			if w.Code >= 500 {
				t.Errorf("status %d", w.Code)
			}
			code, reason := firstError(t, w)
			if tt.code != "" && code != tt.code || reason != tt.reason {
				t.Errorf("got code %q and reason %q, want %q and %q\n%.300s", code, reason, tt.code, tt.reason, w.Body)
			}
			if tt.code == gqlhttp.CodeDocumentTooComplex && w.Code != http.StatusBadRequest {
				t.Errorf("got status %d, want 400", w.Code)
			}
		})
	}
}

// FuzzGuard sends documents through the whole edge: whatever they are, the
// answer is small, is JSON and is no fault.
func FuzzGuard(f *testing.F) {
	for _, a := range attacks() {
		f.Add(a.document[:min(len(a.document), 2000)])
	}
	f.Add(`query Q($a: CardFilter = {and: [{code: "x"}]} @d(a: {b: 1})) { search(filter: $a) @include(if: true) { id ... on Card @skip(if: false) { code } } }`)
	f.Add(`subscription { movements(limit: 1) { seq } }`)
	f.Add(`{ ... on Query { viewer } "" """ """ 1e5 -1 ... ... on @`)
	h := gqlhttp.New(testschema.Schema(&testschema.Resolver{}), gqlhttp.Config{Introspection: allow})
	f.Fuzz(func(t *testing.T, document string) {
		if strings.Contains(document, "slow") || strings.Contains(document, "panics") {
			return // it waits, or logs, by design
		}
		body, err := json.Marshal(map[string]any{"query": document})
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, newPost(string(body)))
		if w.Code >= 500 {
			t.Errorf("status %d for %q", w.Code, document)
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("not JSON: %q", w.Body)
		}
		if strings.Contains(w.Body.String(), testschema.SecretText) {
			t.Errorf("a fault's text: %q", w.Body)
		}
	})
}
