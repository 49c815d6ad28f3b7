package pretii_test

import (
	"bytes"
	"encoding/json"
	"fmt"
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
	dir      string
	Request  exchange
	Response expected
	State    []struct {
		Op, Path string
		Value    any
	}
	After      map[string]any
	AfterCount map[string]int
	Repeat     int
	FollowUps  []struct {
		Request  exchange
		Response expected
	}
	EmailFile string
}

type exchange struct {
	Method, Path   string
	Query, Headers map[string]string
	BodyFile       string
}

type expected struct {
	Status   int
	BodyFile string
	Volatile []string
	Headers  map[string]string
}

// TestFixtures replays every case of the legacy contract over HTTP, none left out. They
// share one installation with its workers; each has a company of its own that takes the
// name and the token of the one before.
func TestFixtures(t *testing.T) {
	t.Parallel()
	dirs, err := filepath.Glob(filepath.Join(fixtures, "*-*"))
	if err != nil || len(dirs) != 56 {
		t.Fatalf("got %d fixtures, want 56 (%v)", len(dirs), err)
	}
	e := install(t)
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			f := fixture{dir: dir}
			if err := json.Unmarshal(read(t, dir, "case.json"), &f); err != nil {
				t.Fatal(err)
			}
			e.retire(t)
			e.serve(t)
			f.run(t, e)
		})
	}
}

func (f *fixture) run(t *testing.T, e *env) {
	t.Helper()
	before := readBaseline(t, f)
	earlier := ""
	e.load(t, before, func(fileName string) { // "exactly these bytes were imported before"
		first := f.Request
		first.Query = map[string]string{"archivo": fileName}
		earlier = imported(f.send(t, e, first, strings.NewReplacer()))
		e.settle(t)
	})
	ids := before.ids(t)
	if earlier != "" {
		ids = strings.NewReplacer("imp_900", earlier, "cli_101", shownID(coreID(t, "cli_101")))
	}
	given := e.tally(t)
	given.movements -= len(before.Movimientos)
	for email, c := range before.Clientes {
		e.same(t, c.Puntos, `SELECT trim_scale(sum(balance)) FROM card JOIN customer ON customer.company_id = card.company_id AND customer.id = card.customer_id
			WHERE customer.company_id = $1 AND customer.email = $2`, e.company, email)
	}
	id := ""
	for range max(f.Repeat, 1) {
		got := f.send(t, e, f.Request, ids)
		f.check(t, f.Response, got, ids)
		id = imported(got)
	}
	e.settle(t)
	for _, next := range f.FollowUps {
		next.Request.Path = strings.ReplaceAll(next.Request.Path, "{id}", id)
		f.check(t, next.Response, f.send(t, e, next.Request, ids), ids)
	}
	f.checkState(t, e.state(t, given))
	if f.EmailFile != "" {
		e.checkMail(t, string(read(t, f.dir, f.EmailFile)))
	}
}

// readBaseline is the baseline, with the fixture's patch (RFC 6902: add and replace).
func readBaseline(t *testing.T, f *fixture) baseline {
	t.Helper()
	var document any
	if err := json.Unmarshal(read(t, fixtures, "baseline.json"), &document); err != nil {
		t.Fatal(err)
	}
	if f != nil {
		for _, op := range f.State {
			document = patched(t, document, strings.Split(strings.TrimPrefix(op.Path, "/"), "/"), op.Op, op.Value)
		}
	}
	data, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	var b baseline
	if err := json.Unmarshal(data, &b); err != nil {
		t.Fatal(err)
	}
	return b
}

// patched is a value with another put in at a path below it.
func patched(t *testing.T, value any, path []string, op string, put any) any {
	t.Helper()
	if len(path) == 0 {
		return put
	}
	switch v := value.(type) {
	case map[string]any:
		if _, there := v[path[0]]; !there && (op != "add" || len(path) > 1) {
			t.Fatalf("state: cannot %s at %v", op, path)
		}
		v[path[0]] = patched(t, v[path[0]], path[1:], op, put)
		return v
	case []any:
		if op == "add" && len(path) == 1 && path[0] == "-" {
			return append(v, put)
		}
	}
	t.Fatalf("state: cannot %s at %v", op, path)
	return nil
}

// send sends a fixture's exact bytes.
func (f *fixture) send(t *testing.T, e *env, x exchange, ids *strings.Replacer) answer {
	t.Helper()
	target := ids.Replace(x.Path)
	if len(x.Query) > 0 {
		query := url.Values{}
		for name, value := range x.Query {
			query.Set(name, value)
		}
		target += "?" + query.Encode()
	}
	headers := []string{"Authorization", ""}
	for name, value := range x.Headers {
		headers = append(headers, name, value)
	}
	var body []byte
	if x.BodyFile != "" {
		body = read(t, f.dir, x.BodyFile)
	}
	return e.send(t, x.Method, target, bytes.NewReader(body), headers...)
}

// check compares an answer as the fixtures' README says.
func (f *fixture) check(t *testing.T, want expected, got answer, ids *strings.Replacer) {
	t.Helper()
	if got.StatusCode != want.Status {
		t.Errorf("status: got %d, want %d: %s", got.StatusCode, want.Status, got.body)
	}
	for name, pattern := range want.Headers {
		if value := got.Header.Get(name); !regexp.MustCompile("^(?:" + pattern + ")$").MatchString(value) {
			t.Errorf("header %s: got %q, want %s", name, value, pattern)
		}
	}
	body := string(read(t, f.dir, want.BodyFile))
	if strings.HasSuffix(want.BodyFile, ".csv") {
		if diff := cmp.Diff(body, got.body); diff != "" {
			t.Errorf("%s (-want +got):\n%s", want.BodyFile, diff)
		}
		return
	}
	if media := got.Header.Get("Content-Type"); media != "application/json; charset=utf-8" {
		t.Errorf("media type: got %q", media)
	}
	var wanted, answered any
	if err := json.Unmarshal([]byte(ids.Replace(body)), &wanted); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(got.body), &answered); err != nil {
		t.Fatalf("%v: %s", err, got.body)
	}
	for _, pointer := range want.Volatile {
		w, a := take(wanted, pointer), take(answered, pointer)
		if fmt.Sprintf("%T", w) != fmt.Sprintf("%T", a) || a == nil && w != nil {
			t.Errorf("%s: got %v, want something like %v", pointer, a, w)
		}
	}
	if diff := cmp.Diff(wanted, answered); diff != "" {
		t.Errorf("%s (-want +got):\n%s", want.BodyFile, diff)
	}
}

// take takes the value of a pointer of two steps out.
func take(value any, pointer string) any {
	steps := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	object, _ := value.(map[string]any)
	for _, step := range steps[:len(steps)-1] {
		object, _ = object[step].(map[string]any)
	}
	last := steps[len(steps)-1]
	defer delete(object, last)
	return object[last]
}

// checkState holds the database against what the fixture says of it.
func (f *fixture) checkState(t *testing.T, state map[string]any) {
	t.Helper()
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

// differs compares with $has.
func differs(want, got any) string {
	special, ok := want.(map[string]any)
	if !ok {
		return cmp.Diff(want, got)
	}
	members, ok := special["$has"].(map[string]any)
	object, is := got.(map[string]any)
	if !ok || !is {
		return cmp.Diff(want, got)
	}
	diffs := ""
	for name, value := range members {
		if diff := differs(value, object[name]); diff != "" {
			diffs += name + ": " + diff
		}
	}
	return diffs
}

// checkMail compares the last mail; where no mail server is set it is kept.
func (e *env) checkMail(t *testing.T, want string) {
	t.Helper()
	got := e.text(t, `SELECT 'Para: ' || recipient || E'\nAsunto: ' || subject || E'\nAdjuntos: ' || coalesce(attachment, '-') || E'\n\n' || body
		FROM notification WHERE company_id = $1 ORDER BY id DESC LIMIT 1`, e.company)
	if diff := cmp.Diff(strings.TrimRight(want, "\n"), strings.TrimRight(got, "\n")); diff != "" {
		t.Errorf("mail (-want +got):\n%s", diff)
	}
	e.same(t, 0, `SELECT count(*) FROM notification WHERE company_id = $1 AND status <> 'kept'`, e.company)
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}
