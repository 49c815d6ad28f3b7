package wallet_test

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
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"sello/db/dbtest"
	"sello/loyalty/ledger"
	"sello/loyalty/plan"
)

// faults make what a fixture injects happen in the database.
var faults = map[string]string{
	// Another request's contact appears between the look and the insert.
	"contact_race": `CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		RAISE unique_violation USING CONSTRAINT = 'card_holder_phone_key'; END $$;
		CREATE TRIGGER fault BEFORE INSERT ON card FOR EACH ROW EXECUTE FUNCTION fault()`,
	"contact_insert": `CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		RAISE EXCEPTION 'injected'; END $$;
		CREATE TRIGGER fault BEFORE INSERT ON card FOR EACH ROW EXECUTE FUNCTION fault()`,
	"contact_update": `CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		RAISE EXCEPTION 'injected'; END $$;
		CREATE TRIGGER fault BEFORE UPDATE ON card FOR EACH ROW EXECUTE FUNCTION fault()`,
	"staff_read": `ALTER TABLE staff RENAME TO staff_gone`,
	"staff_insert": `CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		RAISE EXCEPTION 'injected'; END $$;
		CREATE TRIGGER fault BEFORE INSERT ON staff FOR EACH ROW EXECUTE FUNCTION fault()`,
}

// fixture is one case (fixtures' README).
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

func readFixtures(t *testing.T) []fixture {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(fixtures, "*", "case.json"))
	if err != nil {
		t.Fatal(err)
	}
	all := make([]fixture, len(paths))
	for i, path := range paths {
		readJSON(t, path, &all[i])
		all[i].name = filepath.Base(filepath.Dir(path))
	}
	return all
}

// TestFixtures replays every fixture byte for byte, each on a copy of the database
// that the baseline was made in once.
func TestFixtures(t *testing.T) {
	t.Parallel()

	all := readFixtures(t)
	if len(all) != 137 {
		t.Fatalf("got %d fixtures, want 137", len(all))
	}
	b := readBaseline(t)
	copyOf := dbtest.Filled(t, func(pool *pgxpool.Pool) { fill(t, newEnvOn(t, pool, b.Now), b) })
	for _, f := range all {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			a := loaded(t, newEnvOn(t, copyOf(t), b.Now), b)
			f.prepare(t, a)
			for range max(f.Repeat, 1) {
				if diff := f.replay(t, a); diff != "" {
					t.Fatalf("%s %s: %s", f.Request.Method, f.Request.Path, diff)
				}
			}
			f.checkState(t, a)
		})
	}
}

// prepare brings about the state that differs from the baseline.
func (f *fixture) prepare(t *testing.T, a *account) {
	t.Helper()
	for _, op := range f.State {
		switch {
		case op.Op == "replace" && op.Path == "/faults":
			for _, name := range op.Value.([]any) {
				if faults[name.(string)] == "" {
					t.Fatalf("unknown fault %v", name)
				}
				a.exec(t, faults[name.(string)])
			}
		case op.Op == "replace" && op.Path == "/account/blacklist":
			for _, phone := range op.Value.([]any) {
				a.block(t, phone.(string))
			}
		case op.Op == "replace" && op.Path == "/account/message_balance":
			a.topUp(t, op.Value.(json.Number).String())
		case op.Op == "replace" && op.Path == "/account/customers_available":
			contacts, err := a.resolver.Plans.Contacts(t.Context(), a.id)
			if err != nil {
				t.Fatal(err)
			}
			a.setPlan(t, plan.Change{ContactsLimit: ledger.Given(whole(t, op.Value.(json.Number)) + contacts)})
		case op.Op == "replace" && op.Path == "/account/redemptions_available":
			a.setPlan(t, plan.Change{RedemptionsLimit: ledger.Given(whole(t, op.Value.(json.Number)))})
		default:
			t.Fatalf("state: cannot %s %s", op.Op, op.Path)
		}
	}
}

// replay sends the request's exact bytes and reports what differs in the answer.
func (f *fixture) replay(t *testing.T, a *account) string {
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
			return fmt.Sprintf("header %s: got %q, want %s", name, got.header.Get(name), pattern)
		}
	}
	if got.status != f.Response.Status {
		return fmt.Sprintf("got status %d, want %d", got.status, f.Response.Status)
	}
	var want any
	readJSON(t, filepath.Join(fixtures, f.name, f.Response.BodyFile), &want)
	return cmp.Diff(f.settle(t, want), f.settle(t, parse(t, got.body)))
}

func parse(t *testing.T, body []byte) any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return v
}

// settle puts the type in the place of values that may differ.
func (f *fixture) settle(t *testing.T, body any) any {
	t.Helper()
	for _, pointer := range f.Response.Volatile {
		name := strings.TrimPrefix(pointer, "/")
		object, ok := body.(map[string]any)
		if !ok || strings.ContainsAny(name, "/*") {
			t.Fatalf("volatile %s of %T", pointer, body)
		}
		if v, ok := object[name]; ok {
			object[name] = fmt.Sprintf("some %T", v)
		}
	}
	return body
}

// checkState holds the database against what the fixture says of it.
func (f *fixture) checkState(t *testing.T, a *account) {
	t.Helper()
	if slices.ContainsFunc(f.State, func(op struct {
		Op, Path string
		Value    any
	}) bool {
		return op.Path == "/faults"
	}) {
		a.exec(t, `ALTER TABLE IF EXISTS staff_gone RENAME TO staff`)
	}
	state := a.state(t)
	for pointer, want := range f.After {
		if staff, ok := want.(map[string]any); ok && strings.HasPrefix(pointer, "/staff/") {
			staff["password"] = fmt.Sprintf("%x", a.fingerprint(staff["password"].(string)))
		}
		got, err := at(state, pointer)
		if err != nil {
			t.Error(err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("after %s (-want +got):\n%s", pointer, diff)
		}
	}
	for pointer, want := range f.AfterCount {
		got, err := at(state, pointer)
		if err != nil {
			t.Error(err)
			continue
		}
		if list, ok := got.([]any); !ok || len(list) != want {
			t.Errorf("after: got %d at %s, want %d", len(list), pointer, want)
		}
	}
}
