package main_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	sello "sello"
	"sello/bench"
	"sello/db/dbtest"
)

// TestMain lets the test binary be the program: it is in PATH as sello.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sello": sello.Main})
}

// patience is for a machine that does nothing else for minutes; no test is meant
// to take a tenth of it.
const patience = 4 * time.Minute

// install sets up the program on a database of the test's own, as production
// would: server and worker are separate processes configured by the environment.
func install(t *testing.T, env ...string) (context.Context, *bench.Installation) {
	t.Helper()
	binary, err := exec.LookPath("sello")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	i, err := bench.Install(ctx, bench.InstallOptions{Binary: binary, DatabaseURL: dbtest.URL(t), Env: env})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	return ctx, i
}

// TestImportSurvivesKilledWorker: the worker dies in the middle of a chunk, and
// still every row is applied exactly once and every bad one reported.
func TestImportSurvivesKilledWorker(t *testing.T) {
	t.Parallel()
	ctx, i := install(t)
	m, err := bench.NewImporter(ctx, i, 1)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	known := bench.People{To: 1500}
	base, err := bench.WriteFile(dir, bench.FileOptions{Name: "conocidos.csv", Rows: known.Count(), New: known, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	file, err := bench.WriteFile(dir, bench.FileOptions{
		Name: "puntos.csv", Rows: 5000, BadPercent: 1, New: bench.People{From: 1500, To: 5000}, Known: known, Seed: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Import(ctx, base, 0); err != nil {
		t.Fatalf("import %s: %v", base.Name, err)
	}

	run, err := m.ImportCaught(ctx, file)
	if err != nil {
		t.Fatalf("import %s: %v", file.Name, err)
	}

	if len(run.Kills) != 1 || run.Kills[0].AtRow != 0 {
		t.Errorf("kills: got %+v, want one in the first chunk", run.Kills)
	}
}

// TestPostings: clients post at the same time, a fifth of it twice, and every
// answer, balance and book is exact.
func TestPostings(t *testing.T) {
	t.Parallel()
	// Enough cards, and tills first: a plan made before the planner knows anything
	// of the tables once read all of them for each redemption that had to wait.
	o := bench.PostingOptions{Clients: 16, Operations: 2000, Cards: 300, RepeatPercent: 20, Seed: 4}
	ctx, i := install(t)
	b, err := bench.NewBank(ctx, i, o.Cards+1) // one more, to be emptied
	if err != nil {
		t.Fatal(err)
	}

	for _, through := range []struct {
		name string
		bench.Poster
	}{{"wallet", b.Wallet()}, {"graphql", b.GraphQL()}} {
		run, err := b.Run(ctx, o, through, through.name)
		if err != nil {
			t.Fatalf("postings through %s: %v", through.name, err)
		}
		if run.Distinct != 1600 || run.Replayed != 400 || run.Statuses[200] != 2000 {
			t.Errorf("postings through %s: got %d done, %d replayed, statuses %v, want 1600, 400 and 2000 times 200",
				through.name, run.Distinct, run.Replayed, run.Statuses)
		}
		if _, err := b.Exhaust(ctx, o.Cards); err != nil {
			t.Errorf("redeem all of a card at once, after postings through %s: %v", through.name, err)
		}
	}
}

// TestSubscriberResumes: a subscriber whose connection is cut again and again
// while others post is told every movement once.
func TestSubscriberResumes(t *testing.T) {
	t.Parallel()
	ctx, i := install(t)
	o := bench.PostingOptions{Clients: 8, Operations: 1200, Cards: 20, RepeatPercent: 20, Seed: 9}
	b, err := bench.NewBank(ctx, i, o.Cards)
	if err != nil {
		t.Fatal(err)
	}
	s := bench.NewSubscriber(i, 9)
	after, err := b.FollowFirst(ctx, s, 0)
	if err != nil {
		t.Fatal(err)
	}
	total := b.Untold(after) + 1200*8/10

	var posting sync.WaitGroup
	posting.Go(func() {
		if _, err := b.Run(ctx, o, b.GraphQL(), "load"); err != nil {
			t.Errorf("postings: %v", err)
		}
	})
	err = s.Follow(ctx, total, 60)
	posting.Wait()

	if err != nil {
		t.Fatal(err)
	}
	if err := b.CheckLines(s.Lines, after); err != nil {
		t.Errorf("%d movements over %d connections: %v", len(s.Lines), s.Drops+1, err)
	}
	if s.Drops < 10 {
		t.Errorf("the subscriber dropped its connection %d times: too few to prove anything", s.Drops)
	}
}

// TestScripts are the commands as people type them: messages, exit codes, and
// what is left behind.
func TestScripts(t *testing.T) {
	t.Parallel()
	root, err := os.MkdirTemp("", "sello-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	// PostgreSQL refuses to run as root; the user it then runs as passes through.
	if err := os.Chmod(root, 0o711); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata", WorkdirRoot: root, Cmds: scriptCommands, RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			// Not what the machine's owner has set for their own installation.
			for _, name := range []string{"SELLO_PG_BIN"} {
				e.Setenv(name, os.Getenv(name))
			}
			e.Setenv("DATABASE_URL", "")
			return os.Chmod(filepath.Dir(e.WorkDir), 0o711)
		},
		Condition: func(name string) (bool, error) {
			if name == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("there is no condition %q", name)
		},
	})
}

// variables of a file that dev wrote.
func hasAll(got map[string]string, names ...string) error {
	if i := slices.IndexFunc(names, func(n string) bool { return got[n] == "" }); i >= 0 {
		return fmt.Errorf("%s is missing or empty", names[i])
	}
	return nil
}
