package antcrm_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const fixtures = "testdata/fixtures"

// fixture is a case of the contract (fixtures' README).
type fixture struct {
	name    string
	Request struct {
		Method, Path string
		Query        map[string]string
		Headers      map[string]string
		BodyFile     *string
	}
	Response struct {
		Status   int
		BodyFile string
		Volatile []string
		Headers  map[string]string
	}
	State []struct {
		Op, Path string
		Value    any
	}
	After      map[string]any
	AfterCount map[string]int
	Repeat     int
}

func parse(t *testing.T, data []byte, into any) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(into); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
}

func readFile(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(fixtures, path))
	if err != nil {
		t.Fatal(err)
	}
	parse(t, data, into)
}

// TestFixtures replays every fixture byte for byte, none left out.
func TestFixtures(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob(filepath.Join(fixtures, "*", "case.json"))
	if err != nil || len(paths) != 53 {
		t.Fatalf("got %d fixtures, want 53 (%v)", len(paths), err)
	}
	for _, path := range paths {
		f := fixture{name: filepath.Base(filepath.Dir(path))}
		readFile(t, filepath.Join(f.name, "case.json"), &f)
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			a := load(t, f.before(t))
			for range max(f.Repeat, 1) {
				f.replay(t, a)
			}
			f.checkState(t, a)
		})
	}
}

// before is the baseline with the fixture's patch (RFC 6902: add and replace).
func (f *fixture) before(t *testing.T) baseline {
	t.Helper()
	var document any
	readFile(t, "baseline.json", &document)
	for _, op := range f.State {
		parent, name := document, op.Path[strings.LastIndex(op.Path, "/")+1:]
		if to := strings.TrimSuffix(op.Path, "/"+name); to != "" {
			parent = at(t, document, to)
		}
		switch p := parent.(type) {
		case map[string]any:
			if _, there := p[name]; op.Op != "add" && (op.Op != "replace" || !there) {
				t.Fatalf("state: cannot %s %s", op.Op, op.Path)
			}
			p[name] = op.Value
		case []any:
			if op.Op != "add" || name != "-" {
				t.Fatalf("state: cannot %s %s", op.Op, op.Path)
			}
			up := op.Path[:strings.LastIndex(strings.TrimSuffix(op.Path, "/-"), "/")]
			list := strings.TrimPrefix(strings.TrimSuffix(op.Path, "/-"), up+"/")
			holder := document
			if up != "" {
				holder = at(t, document, up)
			}
			holder.(map[string]any)[list] = append(p, op.Value)
		default:
			t.Fatalf("state: cannot %s %s", op.Op, op.Path)
		}
	}
	data, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	var b baseline
	parse(t, data, &b)
	return b
}

// at follows a JSON Pointer.
func at(t *testing.T, document any, pointer string) any {
	t.Helper()
	for _, name := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		switch d := document.(type) {
		case map[string]any:
			value, there := d[name]
			if !there {
				t.Fatalf("nothing at %s", pointer)
			}
			document = value
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(d) {
				t.Fatalf("nothing at %s", pointer)
			}
			document = d[i]
		default:
			t.Fatalf("nothing at %s", pointer)
		}
	}
	return document
}

// replay sends the request's exact bytes and holds the answer against the fixture's.
func (f *fixture) replay(t *testing.T, a *account) {
	t.Helper()
	var body []byte
	if f.Request.BodyFile != nil {
		var err error
		if body, err = os.ReadFile(filepath.Join(fixtures, f.name, *f.Request.BodyFile)); err != nil {
			t.Fatal(err)
		}
	}
	query := url.Values{}
	for name, value := range f.Request.Query {
		query.Set(name, value)
	}
	r, err := http.NewRequestWithContext(t.Context(), f.Request.Method, a.server.URL+f.Request.Path+"?"+query.Encode(), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range f.Request.Headers {
		r.Header[name] = []string{value} // in the very case
	}
	got, err := do(a.server.Client(), r)
	if err != nil {
		t.Fatal(err)
	}
	headers := map[string]string{"Content-Type": `application/json; charset=utf-8`}
	maps.Copy(headers, f.Response.Headers)
	for name, pattern := range headers {
		if !regexp.MustCompile("^(?:" + pattern + ")$").MatchString(got.header.Get(name)) {
			t.Errorf("header %s: got %q, want %s", name, got.header.Get(name), pattern)
		}
	}
	if len(f.Response.Volatile) > 0 {
		t.Fatalf("volatile %v: no fixture had any", f.Response.Volatile)
	}
	var want, answered any
	readFile(t, filepath.Join(f.name, f.Response.BodyFile), &want)
	parse(t, []byte(got.body), &answered)
	if diff := cmp.Diff(want, answered); got.status != f.Response.Status || diff != "" {
		t.Fatalf("%s %s: got status %d, want %d (-want +got):\n%s", f.Request.Method, f.Request.Path, got.status, f.Response.Status, diff)
	}
}

// checkState holds the database against what the fixture says of it.
func (f *fixture) checkState(t *testing.T, a *account) {
	t.Helper()
	state := a.state(t)
	for pointer, want := range f.After {
		if diff := differs(want, at(t, state, pointer)); diff != "" {
			t.Errorf("after %s (-want +got):\n%s", pointer, diff)
		}
	}
	for pointer, want := range f.AfterCount {
		n := -1
		switch v := at(t, state, pointer).(type) {
		case []any:
			n = len(v)
		case map[string]any:
			n = len(v)
		}
		if n != want {
			t.Errorf("after: got %d at %s, want %d", n, pointer, want)
		}
	}
}

// differs compares with $has and $re.
func differs(want, got any) string {
	special, ok := want.(map[string]any)
	if !ok {
		return cmp.Diff(want, got)
	}
	if pattern, ok := special["$re"].(string); ok {
		if text, is := got.(string); !is || !regexp.MustCompile("^(?:"+pattern+")$").MatchString(text) {
			return fmt.Sprintf("got %v, want %s", got, pattern)
		}
		return ""
	}
	members, ok := special["$has"].(map[string]any)
	if !ok {
		return cmp.Diff(want, got)
	}
	object, ok := got.(map[string]any)
	if !ok {
		return fmt.Sprintf("got %v, want an object", got)
	}
	diffs := ""
	for name, value := range members {
		if diff := differs(value, object[name]); diff != "" {
			diffs += name + ": " + diff
		}
	}
	return diffs
}
