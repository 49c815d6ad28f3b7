package webhook

import (
	"encoding/base64"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"sello/db"
)

// TestSign: the vector that Standard Webhooks' own libraries are tested with.
func TestSign(t *testing.T) {
	t.Parallel()
	secret, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	at, body := time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`)
	const want = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	if got := sign([][]byte{secret}, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, body); got != want {
		t.Errorf("sign: got %s, want %s", got, want)
	}
	two := sign([][]byte{secret, []byte("another")}, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, body)
	if first, second, ok := strings.Cut(two, " "); !ok || first != want || second == want || !strings.HasPrefix(second, "v1,") {
		t.Errorf("two secrets: got %s", two)
	}
}

func TestVault(t *testing.T) {
	t.Parallel()
	v, err := newVault([]byte("one"))
	if err != nil {
		t.Fatal(err)
	}
	w, err := newVault([]byte("two"))
	if err != nil {
		t.Fatal(err)
	}
	a, b, secret := uuid.New(), uuid.New(), newSecret()
	sealed := v.seal(a, b, secret)
	if got, err := v.open(a, b, sealed); err != nil || string(got) != string(secret) {
		t.Errorf("open: got %x, error %v", got, err)
	}
	if string(v.seal(a, b, secret)) == string(sealed) {
		t.Error("sealed twice, it looks the same")
	}
	for name, open := range map[string]func() ([]byte, error){
		"of another webhook":    func() ([]byte, error) { return v.open(a, a, sealed) },
		"of another company":    func() ([]byte, error) { return v.open(b, b, sealed) },
		"under another key":     func() ([]byte, error) { return w.open(a, b, sealed) },
		"that was cut off":      func() ([]byte, error) { return v.open(a, b, sealed[:5]) },
		"that somebody changed": func() ([]byte, error) { return v.open(a, b, append(sealed[:20:20], sealed[21:]...)) },
		"that was never sealed": func() ([]byte, error) { return v.open(a, b, make([]byte, 60)) },
		"that is not there":     func() ([]byte, error) { return v.open(a, b, nil) },
	} {
		if got, err := open(); err == nil {
			t.Errorf("a secret %s was opened: %x", name, got)
		}
	}
}

// TestNextTry: pauses grow, differ, and the last try is when the time is over.
func TestNextTry(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.March, 2, 12, 0, 0, 0, time.UTC)
	previous := time.Duration(0)
	for attempts := range int32(12) {
		d := db.WebhookDelivery{Attempts: attempts, FirstAttemptAt: &now}
		wait := nextTry(d, now, now, outcome{status: 500}).Sub(now)
		base := min(backoffFirst*time.Duration(pow3(attempts)), backoffMost)
		if wait < base*8/10 || wait > base*12/10 {
			t.Errorf("after %d attempts: got %v, want about %v", attempts+1, wait, base)
		}
		if base < backoffMost && wait <= previous {
			t.Errorf("after %d attempts: %v is no longer than before", attempts+1, wait)
		}
		previous = wait
	}
	late := now.Add(TryFor - time.Minute)
	if got := nextTry(db.WebhookDelivery{Attempts: 20, FirstAttemptAt: &now}, late, late, outcome{}); !got.Equal(now.Add(TryFor)) {
		t.Errorf("near the end: got %v", got)
	}
	if got := nextTry(db.WebhookDelivery{}, now, now, outcome{retryAfter: time.Hour}); !got.Equal(now.Add(time.Hour)) {
		t.Errorf("with Retry-After: got %v", got)
	}
}

func pow3(n int32) int64 {
	p := int64(1)
	for range n {
		p *= 3
	}
	return p
}

// TestEveryKindIsDescribed looks through the source for kinds of events that have
// no line in payloads: they could not be wanted by name.
func TestEveryKindIsDescribed(t *testing.T) {
	t.Parallel()
	kinds := map[string]string{} // kind → where
	files, err := filepath.Glob("../../queries/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	inserted := regexp.MustCompile(`(?s)INSERT INTO event \([^)]*\)\s*(?:SELECT|VALUES)[^;]*?'([a-z]+(?:_[a-z]+)+)'`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range inserted.FindAllSubmatch(text, -1) {
			kinds[string(m[1])] = file
		}
	}
	err = filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		return kindsOf(path, kinds)
	})
	if err != nil {
		t.Fatal(err)
	}
	if kinds["movement_posted"] == "" || kinds["import_progressed"] == "" || kinds[DisabledEvent] == "" {
		t.Fatalf("the search finds too little: %v", kinds)
	}
	for kind, where := range kinds {
		if payloads[kind] == nil {
			t.Errorf("%s writes events of kind %s: say in payloads what webhooks tell of them", where, kind)
		}
	}
}

// kindsOf notes the kinds that a package gives to EventCreate, as far as they are
// constants.
func kindsOf(dir string, kinds map[string]string) error {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	constants, used := map[string]string{}, map[string]string{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				for i, ident := range n.Names {
					if i < len(n.Values) {
						if text, ok := literal(n.Values[i]); ok {
							constants[ident.Name] = text
						}
					}
				}
			case *ast.CompositeLit:
				if s, ok := n.Type.(*ast.SelectorExpr); !ok || s.Sel.Name != "EventCreateParams" {
					return true
				}
				for _, element := range n.Elts {
					field, ok := element.(*ast.KeyValueExpr)
					if key, isName := field.Key.(*ast.Ident); !ok || !isName || key.Name != "Kind" {
						continue
					}
					if text, ok := literal(field.Value); ok {
						kinds[text] = name
					} else if ident, ok := field.Value.(*ast.Ident); ok {
						used[ident.Name] = name
					}
				}
			}
			return true
		})
	}
	for name, where := range used {
		if text, ok := constants[name]; ok {
			kinds[text] = where
		}
	}
	return nil
}

func literal(e ast.Expr) (string, bool) {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(l.Value)
	return text, err == nil
}
