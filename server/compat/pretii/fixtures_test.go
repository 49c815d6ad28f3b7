package pretii_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fixture is a case.json.
type fixture struct {
	Request    exchange          `json:"request"`
	Response   expected          `json:"response"`
	State      []json.RawMessage `json:"state"`
	After      map[string]any    `json:"after"`
	AfterCount map[string]int    `json:"afterCount"`
	FollowUps  []struct {
		Request  exchange `json:"request"`
		Response expected `json:"response"`
	} `json:"followUps"`
	EmailFile string `json:"emailFile"`
}

type exchange struct {
	Method, Path   string
	Query, Headers map[string]string
	BodyFile       string `json:"bodyFile"`
}

type expected struct {
	Status   int
	BodyFile string            `json:"bodyFile"`
	Volatile []string          `json:"volatile"`
	Headers  map[string]string `json:"headers"`
}

// TestFixtures replays the CSV cases of the legacy contract over HTTP, against
// the real server with its workers.
func TestFixtures(t *testing.T) {
	t.Parallel()
	dirs, err := filepath.Glob("testdata/*-*")
	if err != nil || len(dirs) != 14 {
		t.Fatalf("fixtures: got %d, want 14 (%v)", len(dirs), err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			var c fixture
			if err := json.Unmarshal(read(t, dir, "case.json"), &c); err != nil {
				t.Fatal(err)
			}
			e := newEnv(t)
			earlier := ""
			if c.State != nil { // "exactly these bytes were imported before as imp_900"
				first := c.Request
				first.Query = map[string]string{"archivo": "lista.csv"}
				earlier = path.Base(e.exchange(t, dir, first, "").Header.Get("Location"))
				e.settle(t)
			}
			movements, mails := e.text(t, `SELECT count(*) FROM movement`), e.text(t, `SELECT count(*) FROM notification`)

			got := e.exchange(t, dir, c.Request, "")
			check(t, dir, c.Response, got, earlier)
			e.settle(t)
			id := path.Base(got.Header.Get("Location"))
			for _, f := range c.FollowUps {
				check(t, dir, f.Response, e.exchange(t, dir, f.Request, id), earlier)
			}
			e.checkState(t, c, movements, mails)
			if c.EmailFile != "" {
				e.checkMail(t, string(read(t, dir, c.EmailFile)))
			}
		})
	}
}

func (e *env) exchange(t *testing.T, dir string, x exchange, id string) answer {
	t.Helper()
	target := strings.ReplaceAll(x.Path, "{id}", id)
	if len(x.Query) > 0 {
		query := url.Values{}
		for name, value := range x.Query {
			query.Set(name, value)
		}
		target += "?" + query.Encode()
	}
	var headers []string
	for name, value := range x.Headers {
		headers = append(headers, name, value)
	}
	var body []byte
	if x.BodyFile != "" {
		body = read(t, dir, x.BodyFile)
	}
	return e.send(t, x.Method, target, bytes.NewReader(body), headers...)
}

// check compares an answer as the fixtures' README says; earlier stands for
// imp_900.
func check(t *testing.T, dir string, want expected, got answer, earlier string) {
	t.Helper()
	if got.StatusCode != want.Status {
		t.Errorf("status: got %d, want %d: %s", got.StatusCode, want.Status, got.body)
	}
	for name, pattern := range want.Headers {
		if value := got.Header.Get(name); !regexp.MustCompile("^(?:" + pattern + ")$").MatchString(value) {
			t.Errorf("header %s: got %q, want %s", name, value, pattern)
		}
	}
	body := string(read(t, dir, want.BodyFile))
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
	if err := json.Unmarshal([]byte(strings.ReplaceAll(body, "imp_900", earlier)), &wanted); err != nil {
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

// checkState compares the fixture's pointers into the state with the tables.
func (e *env) checkState(t *testing.T, c fixture, movements, mails string) {
	t.Helper()
	columns := map[string]string{
		"nombres": "first_name", "apellidos": "last_name", "email": "email", "documento_de_identidad": "document",
		"puntos": "(SELECT trim_scale(balance) FROM card WHERE card.customer_id = customer.id)",
	}
	for pointer, want := range c.After {
		steps := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
		if pointer == "/emails/0/para" {
			e.same(t, want, `SELECT recipient FROM notification`)
			continue
		}
		fields := map[string]any{}
		if len(steps) == 3 {
			fields[steps[2]] = want
		} else {
			fields = want.(map[string]any)["$has"].(map[string]any)
		}
		for field, want := range fields {
			e.same(t, want, `SELECT `+columns[field]+` FROM customer WHERE email = $1`, steps[1])
		}
	}
	counts := map[string]string{
		"/clientes":      `SELECT count(*) FROM customer`,
		"/movimientos":   `SELECT count(*) - ` + movements + ` FROM movement`,
		"/importaciones": `SELECT count(*) FROM import`,
		"/emails":        `SELECT count(*) - ` + mails + ` FROM notification`,
	}
	for pointer, want := range c.AfterCount {
		e.same(t, want, counts[pointer])
	}
}

// checkMail compares the last mail; where no mail server is set it is kept.
func (e *env) checkMail(t *testing.T, want string) {
	t.Helper()
	got := e.text(t, `SELECT 'Para: ' || recipient || E'\nAsunto: ' || subject || E'\nAdjuntos: ' || coalesce(attachment, '-') || E'\n\n' || body
		FROM notification ORDER BY id DESC LIMIT 1`)
	if diff := cmp.Diff(strings.TrimRight(want, "\n"), strings.TrimRight(got, "\n")); diff != "" {
		t.Errorf("mail (-want +got):\n%s", diff)
	}
	e.same(t, 0, `SELECT count(*) FROM notification WHERE status <> 'kept'`)
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}
