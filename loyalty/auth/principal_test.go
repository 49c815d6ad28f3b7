package auth_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"sello/loyalty/auth"
)

func TestRequire(t *testing.T) {
	t.Parallel()

	company := uuid.New()
	reader := auth.Principal{CompanyID: company, Kind: auth.KindAPIKey, Scopes: []auth.Scope{auth.CardsRead}}
	for _, tt := range []struct {
		name    string
		who     *auth.Principal
		scope   auth.Scope
		wantErr error
	}{
		{name: "nobody", scope: auth.CardsRead, wantErr: auth.ErrUnauthenticated},
		{name: "scope held", who: &reader, scope: auth.CardsRead},
		{name: "reading is not writing", who: &reader, scope: auth.CardsWrite, wantErr: auth.ErrForbidden},
		{name: "no scope asked for", who: &reader, scope: "", wantErr: auth.ErrForbidden},
		{name: "system", who: new(auth.System(company)), scope: auth.Platform},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			if tt.who != nil {
				ctx = auth.WithPrincipal(ctx, *tt.who)
			}

			got, err := auth.Require(ctx, tt.scope)

			if !errors.Is(err, tt.wantErr) {
				t.Fatalf("Require(%q): got error %v, want %v", tt.scope, err, tt.wantErr)
			}
			want := company
			if tt.wantErr != nil {
				want = uuid.Nil // no company without the check
			}
			if got.CompanyID != want {
				t.Errorf("Require(%q): got company %v, want %v", tt.scope, got.CompanyID, want)
			}
			if e, ok := errors.AsType[*auth.ForbiddenError](err); ok && e.Scope != tt.scope {
				t.Errorf("Require(%q): the error names %q", tt.scope, e.Scope)
			}
		})
	}
}

func TestPrincipalLogsNoAddress(t *testing.T) {
	t.Parallel()

	var out strings.Builder
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("asked", "principal", auth.Principal{Subject: uuid.New(), Kind: auth.KindOperator, Email: "boss@acme.test"})
	if strings.Contains(out.String(), "boss") || !strings.Contains(out.String(), `"kind":"operator"`) {
		t.Errorf("logged: %s", out.String())
	}
}

func TestScopesAreClosed(t *testing.T) {
	t.Parallel()

	seen := map[auth.Scope]bool{}
	for _, s := range auth.Scopes() {
		if !s.Valid() || seen[s] {
			t.Errorf("scope %q: valid %v, listed before %v", s, s.Valid(), seen[s])
		}
		seen[s] = true
	}
	if auth.Scope("cards:*").Valid() || auth.Scope("").Valid() {
		t.Error("a scope outside the set is valid")
	}
	for _, k := range auth.KeyKinds() {
		for _, s := range k.DefaultScopes() {
			if !seen[s] || s == auth.Platform || s == auth.KeysManage {
				t.Errorf("keys of kind %s have the scope %q by themselves", k, s)
			}
		}
	}
}

// Resolvers get their company from Require: From would give it without a check.
// Two ask about the caller alone, whatever the caller may do.
func TestResolversAskRequire(t *testing.T) {
	t.Parallel()

	exempt := map[string]bool{"SessionEnd": true, "Viewer": true}
	err := filepath.WalkDir("../../graph", func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(source), "auth.From(") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, source, 0)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && !exempt[f.Name.Name] && callsFrom(f) {
				t.Errorf("%s: %s uses auth.From; resolvers use auth.Require", path, f.Name.Name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func callsFrom(f *ast.FuncDecl) (found bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "From" {
			pkg, isName := sel.X.(*ast.Ident)
			found = found || isName && pkg.Name == "auth"
		}
		return true
	})
	return found
}
