package graph_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"sello/graph"
	"sello/graph/graphtest"
	"sello/loyalty"
	"sello/loyalty/auth"
)

var update = flag.Bool("update", false, "rewrite the golden answers in testdata")

// step is one request of a golden file. A file is a story on one company: its
// steps run in order, and what one answers can be saved for those after it.
//
//	# --- title
//	# as nobody                          (or platform, or a saved credential)
//	# header Idempotency-Key: k1
//	# variables {"id": "{{customer}}"}
//	# run applyImport                    (a hook of the test, before the request)
//	# save customer = customerCreate.customer.id
//	# events 2                           (subscriptions: how many to wait for)
type step struct {
	title, as, variables, run, document string
	header                              http.Header
	save                                [][2]string
	events                              int
}

func readSteps(t *testing.T, path string) []step {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var steps []step
	for line := range strings.Lines(string(text)) {
		directive, rest, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "# "), " ")
		if !strings.HasPrefix(line, "# ") {
			directive = ""
		}
		if directive == "---" {
			steps = append(steps, step{title: rest, header: http.Header{}})
			continue
		}
		if len(steps) == 0 {
			continue // what the file is about
		}
		s := &steps[len(steps)-1]
		switch directive {
		case "as":
			s.as = rest
		case "header":
			name, value, _ := strings.Cut(rest, ": ")
			s.header.Set(name, value)
		case "variables":
			s.variables = rest
		case "run":
			s.run = rest
		case "save":
			name, path, _ := strings.Cut(rest, " = ")
			s.save = append(s.save, [2]string{name, path})
		case "events":
			s.events, _ = strconv.Atoi(rest)
		case "":
			s.document += line
		default:
			t.Fatalf("%s: a directive %q is unknown", path, directive)
		}
	}
	return steps
}

// golden is one step's outcome in the file of answers.
type golden struct {
	Step   string          `json:"step"`
	Status int             `json:"status"`
	Answer json.RawMessage `json:"answer,omitempty"`
	Events []any           `json:"events,omitempty"`
}

// story runs the steps of one file.
type story struct {
	*graphtest.Company
	t     *testing.T
	saved map[string]string
	hooks map[string]func(*story)
	plain *plain
}

// stories are the golden files and what each starts from.
var stories = map[string]func(*story){
	"access":     nil,
	"company":    nil,
	"staff":      func(s *story) { s.Fill(s.t, 0) },
	"cards":      nil,
	"customers":  nil,
	"contacts":   func(s *story) { s.Fill(s.t, 0) },
	"movements":  func(s *story) { s.Fill(s.t, 1) },
	"imports":    prepareImports,
	"jobs":       prepareJobs,
	"nodes":      prepareNodes,
	"follow":     prepareFollow,
	"reports":    prepareReports,
	"webhooks":   prepareWebhooks,
	"attributes": nil,
	"segments":   nil,
	"persons":    func(s *story) { s.Fill(s.t, 2) },
	"coupons":    prepareCoupons,
	"named":      func(s *story) { s.Fill(s.t, 1) },
	"points":     func(s *story) { s.Fill(s.t, 1) },
	"rewards":    func(s *story) { s.Fill(s.t, 1) },
	"holds":      prepareLots,
	"lots":       prepareLots,
	"returns":    prepareLots,
	"transfers":  prepareLots,
	"life":       nil,
	"plan":       preparePlan,
	"phones":     func(s *story) { s.Fill(s.t, 0) },
	"expiry": func(s *story) {
		s.Fill(s.t, 1)
		s.hooks["work"] = func(s *story) { s.Work(s.t) }
	},
}

func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/golden/*.graphql")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".graphql")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			prepare, known := stories[name]
			if !known {
				t.Fatalf("stories has no %q", name)
			}
			s := &story{
				Company: graphtest.New(t).Company(t, "shop"), t: t,
				saved: map[string]string{"password": graphtest.Password, "beginning": beginning},
				hooks: map[string]func(*story){}, plain: newPlain(),
			}
			s.saved["platform"] = s.KeyWith(t, auth.Scopes()...)
			if prepare != nil {
				prepare(s)
			}
			var got []golden
			for _, step := range readSteps(t, file) {
				got = append(got, s.do(step))
			}
			compareGolden(t, strings.TrimSuffix(file, ".graphql")+".json", got)
		})
	}
	if len(files) != len(stories) {
		t.Errorf("%d golden files for %d stories", len(files), len(stories))
	}
}

func compareGolden(t *testing.T, path string, got any) {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(got); err != nil {
		t.Fatal(err)
	}
	compareText(t, path, b.Bytes())
}

func compareText(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run the test with -update)", err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// fill puts saved values in the place of {{name}}.
func (s *story) fill(title, text string) string {
	for name, value := range s.saved {
		text = strings.ReplaceAll(text, "{{"+name+"}}", value)
	}
	if _, rest, missing := strings.Cut(text, "{{"); missing {
		s.t.Fatalf("%s: nothing was saved as {{%.30s", title, rest)
	}
	return text
}

func (s *story) do(step step) golden {
	s.t.Helper()
	if step.run != "" {
		hook := s.hooks[step.run]
		if hook == nil {
			s.t.Fatalf("%s: there is no hook %q", step.title, step.run)
		}
		hook(s)
	}
	q := graphtest.Request{Credential: s.Key, Document: s.fill(step.title, step.document), Header: step.header}
	switch step.as {
	case "":
	case "nobody":
		q.Credential = ""
	default:
		q.Credential = s.fill(step.title, "{{"+step.as+"}}")
	}
	if step.variables != "" {
		if err := json.Unmarshal([]byte(s.fill(step.title, step.variables)), &q.Variables); err != nil {
			s.t.Fatalf("%s: variables: %v", step.title, err)
		}
	}
	g := golden{Step: step.title, Status: http.StatusOK}
	var answer graphtest.Answer
	if step.events > 0 {
		stream := s.Subscribe(s.t, q)
		for range step.events {
			var more bool
			if answer, more = stream.Next(); !more {
				break
			}
			g.Events = append(g.Events, s.plain.decode(s.t, answer.Body))
		}
		stream.Close()
	} else {
		answer = s.Do(s.t, q)
		g.Status = answer.Status
		g.Answer = encode(s.t, s.plain.decode(s.t, answer.Body))
	}
	for _, save := range step.save {
		var path []any
		for part := range strings.SplitSeq(save[1], ".") {
			if len(part) == 1 && part[0] >= '0' && part[0] <= '9' {
				path = append(path, int(part[0]-'0'))
			} else {
				path = append(path, part)
			}
		}
		value := answer.Text(path...)
		if value == "" {
			s.t.Fatalf("%s: %s is not in the answer %s", step.title, save[1], answer.Body)
		}
		s.saved[save[0]] = value
	}
	return g
}

func encode(t *testing.T, value any) json.RawMessage {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestGoldenCoversTheSchema fails when a field of any type is in no golden
// document: what nobody asked for in a test nobody knows the answer of.
func TestGoldenCoversTheSchema(t *testing.T) {
	t.Parallel()
	schema := graph.NewSchema(&graph.Resolver{}).Schema()
	asked := map[string]bool{}
	files, err := filepath.Glob("testdata/golden/*.graphql")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		for _, step := range readSteps(t, file) {
			// Ids in the text do not matter for what is asked; places for them do.
			text := strings.NewReplacer("{{", "x", "}}", "x").Replace(step.document)
			document, err := gqlparser.LoadQueryWithRules(schema, text, nil)
			if err != nil {
				continue // a step that shows how a wrong document is refused
			}
			for _, op := range document.Operations {
				collect(op.SelectionSet, asked)
			}
		}
	}
	for name, typ := range schema.Types {
		if typ.Kind != ast.Object || typ.BuiltIn {
			continue
		}
		for _, field := range typ.Fields {
			if key := name + "." + field.Name; !asked[key] && !strings.HasPrefix(field.Name, "__") {
				t.Errorf("%s is in no document of testdata/golden", key)
			}
		}
	}
}

func collect(set ast.SelectionSet, asked map[string]bool) {
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			asked[s.ObjectDefinition.Name+"."+s.Name] = true
			collect(s.SelectionSet, asked)
		case *ast.InlineFragment:
			collect(s.SelectionSet, asked)
		case *ast.FragmentSpread:
			collect(s.Definition.SelectionSet, asked)
		}
	}
}

// randomID is the opaque id of an object of the kind that nobody has.
func randomID(kind string) string {
	switch kind {
	case "Job":
		return loyalty.GlobalID(kind, "987654321")
	case "Movement":
		return loyalty.GlobalID(kind, uuid.NewString()+"/1")
	case "WebhookDelivery":
		return loyalty.GlobalID(kind, uuid.NewString()+"/1")
	}
	return loyalty.GlobalID(kind, uuid.NewString())
}

func sorted(texts []string) []string { return slices.Sorted(slices.Values(texts)) }
