package main_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "sello"

// arrows says what the packages of a folder may import of ours: the folders
// named, and itself. The longest folder that holds a package is the one that
// counts; every package has to be under one.
var arrows = map[string][]string{
	"db":            nil,
	"promotion":     nil,
	"loyalty":       {"db", "promotion"},
	"jobs":          {"loyalty"},
	"graph":         {"loyalty", "promotion", "db"}, // of db only what graphKnowsOfDB names
	"graph/model":   {"loyalty", "promotion"},
	"server":        {"graph", "loyalty"},
	"server/compat": {"graph", "loyalty", "server/request"},
	// Parts of the server that would serve another program as well.
	"server/gqlhttp":  nil,
	"server/graphiql": nil,
	"server/ops":      {"server/gqlhttp"},
	"server/request":  {"loyalty/auth"},
	"server/signin":   {"loyalty/auth", "loyalty", "server/request"},
	// What builds the whole: the program, the demo companies, the load harness, and
	// the server that tests talk to.
	"":                {"db", "loyalty", "promotion", "jobs", "graph", "server", "demo", "bench"},
	"demo":            {"db", "loyalty"},
	"bench":           {"db"},
	"graph/graphtest": {"db", "loyalty", "jobs", "graph", "server"},
	"db/dbtest":       {"db"},
}

// graphKnowsOfDB is the event feed: its events are not a company's rows but where
// subscriptions come from, and it is one per process like the resolver.
var graphKnowsOfDB = []string{"Feed", "Subscription", "Event", "Place", "ParsePlace", "ErrPlaceGone", "ErrPlaceInvalid", "ErrSlow", "ErrFeedEnded"}

type goPackage struct {
	ImportPath string
	Dir        string
	Imports    []string
	GoFiles    []string
}

// packages lists the module's packages, without their tests.
func packages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Dir,Imports,GoFiles", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		err := decoder.Decode(&p)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		all = append(all, p)
	}
	if len(all) < 20 {
		t.Fatalf("go list: got %d packages", len(all))
	}
	return all
}

// folder is a package's path inside the module; ok is false for others'.
func folder(importPath string) (path string, ok bool) {
	if importPath == module {
		return "", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

func under(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

// home is the longest folder of arrows that holds the package.
func home(path string) (string, bool) {
	for ; path != ""; path = strings.TrimPrefix(filepath.ToSlash(filepath.Dir("/"+path)), "/") {
		if _, ok := arrows[path]; ok {
			return path, true
		}
	}
	return "", false
}

func TestImportsRunOneWay(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		path, _ := folder(p.ImportPath)
		house, ok := home(path)
		if path == "" {
			house, ok = "", true
		}
		if !ok {
			t.Errorf("package %s is in no folder of the table of arrows", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			target, ours := folder(imported)
			if !ours || (house != "" && under(target, house)) {
				continue
			}
			if !slices.ContainsFunc(arrows[house], func(f string) bool { return under(target, f) }) {
				t.Errorf("%s imports %s: packages of %q may import only %v", p.ImportPath, imported, house, arrows[house])
			}
		}
	}
}

// The parts of the domain know only what lies below them: the ledger, sign-in and
// the vocabulary; imports and what comes later put the others together.
func TestAggregatesStayApart(t *testing.T) {
	t.Parallel()
	together := []string{"loyalty/imports", "loyalty/pos", "loyalty/upkeep", "loyalty/report", "loyalty/contact", "loyalty/points", "loyalty/wallet"}
	below := []string{"loyalty", "loyalty/auth", "loyalty/ledger", "loyalty/once"}
	for _, p := range packages(t) {
		path, _ := folder(p.ImportPath)
		if !under(path, "loyalty") || slices.ContainsFunc(together, func(f string) bool { return under(path, f) }) {
			continue
		}
		for _, imported := range p.Imports {
			target, ours := folder(imported)
			if ours && under(target, "loyalty") && !under(target, path) && !slices.Contains(below, target) {
				t.Errorf("%s imports %s: an aggregate knows only %v", p.ImportPath, imported, below)
			}
		}
	}
}

// goFiles parses the module's own Go files but for tests and generated code.
func goFiles(t *testing.T, visit func(path string, files *token.FileSet, file *ast.File)) {
	t.Helper()
	files := token.NewFileSet()
	for _, p := range packages(t) {
		dir, _ := folder(p.ImportPath)
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(files, filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			if !ast.IsGenerated(file) {
				visit(dir+"/"+name, files, file)
			}
		}
	}
}

// callers of these open a transaction or take a connection for one.
var opensTransactions = []string{"InTx", "InPlannedTx", "InSnapshot", "Begin", "BeginTx", "BeginFunc", "BeginTxFunc"}

func TestOnlyTheDomainOpensTransactions(t *testing.T) {
	t.Parallel()
	goFiles(t, func(path string, files *token.FileSet, file *ast.File) {
		// The harness measures transactions of its own beside ours.
		if under(path, "loyalty") || under(path, "db") || under(path, "bench") {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if s, ok := call.Fun.(*ast.SelectorExpr); ok && slices.Contains(opensTransactions, s.Sel.Name) {
				t.Errorf("%s calls %s: only loyalty opens transactions", files.Position(call.Pos()), s.Sel.Name)
			}
			return true
		})
	})
}

func TestGraphKnowsOnlyTheFeedOfDB(t *testing.T) {
	t.Parallel()
	goFiles(t, func(path string, files *token.FileSet, file *ast.File) {
		if !under(path, "graph") || under(path, "graph/graphtest") {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if pkg, ok := s.X.(*ast.Ident); ok && pkg.Name == "db" && !slices.Contains(graphKnowsOfDB, s.Sel.Name) {
				t.Errorf("%s uses db.%s: rows and statements are loyalty's", files.Position(s.Pos()), s.Sel.Name)
			}
			return true
		})
	})
}

// A statement needs more than its verb, so that no message looks like one.
var sqlText = regexp.MustCompile(`(?is)\bselect\b.+\bfrom\s+[a-z_]+|\binsert\s+into\s+[a-z_]+|\bupdate\s+[a-z_]+\s+set\b|\bdelete\s+from\s+[a-z_]+|\b(create|alter|drop|truncate)\s+table\b`)

func TestSQLStaysInDB(t *testing.T) {
	t.Parallel()
	seen := 0
	goFiles(t, func(path string, files *token.FileSet, file *ast.File) {
		inDB := under(path, "db")
		// What only tests and the harness use counts as a test.
		if under(path, "bench") || under(path, "graph/graphtest") {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			literal, ok := n.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(literal.Value)
			if err != nil || !sqlText.MatchString(text) {
				return true
			}
			seen++
			if !inDB {
				t.Errorf("%s holds SQL: it belongs to queries/ or db/", files.Position(literal.Pos()))
			}
			return true
		})
	})
	if seen == 0 {
		t.Error("no SQL found in db/ either: the test does not see any")
	}
}

// Time comes in as an argument or a field Now (style.md, section 7).
func TestTheDomainReadsNoClock(t *testing.T) {
	t.Parallel()
	goFiles(t, func(path string, files *token.FileSet, file *ast.File) {
		if !under(path, "loyalty") && !under(path, "promotion") {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			s, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if pkg, ok := s.X.(*ast.Ident); ok && pkg.Name == "time" && slices.Contains([]string{"Now", "Since", "Until"}, s.Sel.Name) {
				t.Errorf("%s calls time.%s", files.Position(call.Pos()), s.Sel.Name)
			}
			return true
		})
	})
}

// Every package says what it is for.
func TestPackagesHaveComments(t *testing.T) {
	t.Parallel()
	commented := map[string]bool{}
	goFiles(t, func(path string, _ *token.FileSet, file *ast.File) {
		dir := filepath.ToSlash(filepath.Dir(path))
		commented[dir] = commented[dir] || file.Doc != nil
	})
	for dir, has := range commented {
		if !has {
			t.Errorf("package %s has no comment", dir)
		}
	}
}

// No file of the product names a place on somebody's machine.
func TestNoPathsOfAMachine(t *testing.T) {
	t.Parallel()
	machine := regexp.MustCompile(`(^|[^a-zA-Z0-9_.-])/(work|root)/[a-z]`)
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains([]string{".git", "node_modules", "dist", "testdata"}, entry.Name()) {
			return fs.SkipDir
		}
		if entry.IsDir() || path == "architecture_test.go" || !slices.Contains([]string{".go", ".sql", ".md", ".yml", ".yaml", ".graphql", ".ts", ".js"}, filepath.Ext(path)) {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if found := machine.Find(text); found != nil {
			t.Errorf("%s names a path of a machine: %q", path, found)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
