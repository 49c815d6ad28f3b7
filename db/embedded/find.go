package embedded

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MinMajor is the oldest PostgreSQL that Sello supports.
const MinMajor = 15

// Binaries is one installation of PostgreSQL.
type Binaries struct {
	Dir     string // holds initdb and postgres
	Major   int    // 15
	Version string // "15.18", for people
}

// FindOptions says where to look. The zero value looks in the usual places and
// downloads nothing.
type FindOptions struct {
	// Dir, if set, is the only place to look in (SELLO_PG_BIN).
	Dir string
	// DataDir, if it holds a cluster, decides the major version: PostgreSQL
	// reads the files of its own major version only.
	DataDir string
	// AllowDownload permits fetching binaries when none is installed.
	AllowDownload bool
	// DownloadDir keeps what was fetched; required with AllowDownload.
	DownloadDir string
	// Log hears which binaries were taken and, before it begins, of a
	// download. Nil is silent.
	Log *slog.Logger
}

// Find returns the installation to use: the newest of at least [MinMajor], or
// the one that fits the cluster in DataDir. It refuses with [ErrNotFound].
func Find(ctx context.Context, o FindOptions) (Binaries, error) {
	log := cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	wanted, err := clusterMajor(o.DataDir)
	if err != nil {
		return Binaries{}, err
	}
	dirs := []string{o.Dir}
	if o.Dir == "" {
		dirs = candidates(ctx)
		if o.AllowDownload {
			dirs = append(dirs, downloaded(o.DownloadDir)...)
		}
	}

	var found []Binaries
	for _, dir := range dirs {
		if b, err := inspect(ctx, dir); err == nil {
			found = append(found, b)
		} else if o.Dir != "" {
			return Binaries{}, notFound(fmt.Sprintf("The folder %s (SELLO_PG_BIN) holds no usable PostgreSQL.", dir), err)
		}
	}
	if b, ok := choose(found, wanted); ok {
		log.InfoContext(ctx, "PostgreSQL binaries found", "dir", b.Dir, "version", b.Version)
		return b, nil
	}
	if o.AllowDownload && o.Dir == "" {
		b, err := download(ctx, o.DownloadDir, cmp.Or(wanted, downloadMajor), log)
		if err != nil {
			return Binaries{}, notFound("No PostgreSQL is installed here and downloading it did not work.", err)
		}
		return b, nil
	}
	return Binaries{}, notFound(whyNot(found, wanted, o.DataDir), nil)
}

// choose returns the newest installation that is fit, wanted 0 meaning any
// major version we support.
func choose(found []Binaries, wanted int) (Binaries, bool) {
	fit := slices.DeleteFunc(slices.Clone(found), func(b Binaries) bool {
		return b.Major < MinMajor || wanted != 0 && b.Major != wanted
	})
	if len(fit) == 0 {
		return Binaries{}, false
	}
	// The first of equals: candidates come in order of preference.
	best := fit[0]
	for _, b := range fit[1:] {
		if b.Major > best.Major {
			best = b
		}
	}
	return best, true
}

func whyNot(found []Binaries, wanted int, dataDir string) string {
	if len(found) == 0 {
		return fmt.Sprintf("No PostgreSQL binaries (%d or newer, with initdb) were found on this machine.", MinMajor)
	}
	var versions []string
	for _, b := range found {
		versions = append(versions, b.Version)
	}
	have := strings.Join(versions, ", ")
	if wanted != 0 {
		return fmt.Sprintf("The data in %s were written by PostgreSQL %d, and only %s is installed. Install version %d, or begin anew in another data folder.",
			dataDir, wanted, have, wanted)
	}
	return fmt.Sprintf("PostgreSQL %s is too old: Sello needs version %d or newer.", have, MinMajor)
}

// candidates lists the folders that may hold PostgreSQL, best first and each
// once: what the user put into PATH goes before the habits of the systems.
func candidates(ctx context.Context) []string {
	var dirs []string
	add := func(dir string) {
		if real, err := filepath.EvalSymlinks(dir); err == nil && !slices.Contains(dirs, real) {
			dirs = append(dirs, real)
		}
	}
	if out, err := output(ctx, "pg_config", "--bindir"); err == nil {
		add(strings.TrimSpace(out))
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			add(filepath.Dir(real))
		}
	}
	for major := 18; major >= 14; major-- {
		add(fmt.Sprintf("/usr/lib/postgresql/%d/bin", major))
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", // majors that were not out when this was written
		"/usr/pgsql-*/bin",
		"/opt/homebrew/opt/postgresql*/bin",
		"/usr/local/opt/postgresql*/bin",
		"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
		"/usr/local/pgsql/bin",
	} {
		matches, _ := filepath.Glob(pattern) // fails on a bad pattern only
		for _, dir := range matches {
			add(dir)
		}
	}
	return dirs
}

var versionRE = regexp.MustCompile(`\(PostgreSQL\) ((\d+)[^ \n]*)`)

// inspect asks the binaries of a folder who they are.
func inspect(ctx context.Context, dir string) (Binaries, error) {
	// Client packages bring a bin folder without the server.
	for _, name := range []string{"initdb", "postgres"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return Binaries{}, err
		}
	}
	out, err := output(ctx, filepath.Join(dir, "postgres"), "--version")
	if err != nil {
		return Binaries{}, err
	}
	m := versionRE.FindStringSubmatch(out)
	if m == nil {
		return Binaries{}, fmt.Errorf("unknown version %q", strings.TrimSpace(out))
	}
	major, err := strconv.Atoi(m[2])
	if err != nil {
		return Binaries{}, err
	}
	return Binaries{Dir: dir, Major: major, Version: m[1]}, nil
}

func output(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).Output()
	return string(out), err
}

// clusterMajor returns the major version of the cluster in a data folder, 0 if
// there is none yet.
func clusterMajor(dataDir string) (int, error) {
	if dataDir == "" {
		return 0, nil
	}
	text, err := os.ReadFile(filepath.Join(dataDir, "pgdata", "PG_VERSION"))
	switch {
	case os.IsNotExist(err):
		return 0, nil
	case err != nil:
		return 0, &Error{
			Kind: ErrPermission, Cause: err,
			Message: fmt.Sprintf("The data folder %s belongs to another user. Run as that user, or choose another data folder.", dataDir),
		}
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}
