package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// downloadMajor is fetched where no cluster decides otherwise.
const downloadMajor = 18

var downloadVersions = map[int]embeddedpostgres.PostgresVersion{
	15: embeddedpostgres.V15,
	16: embeddedpostgres.V16,
	17: embeddedpostgres.V17,
	18: embeddedpostgres.V18,
}

// downloaded lists the installations that earlier runs fetched into dir.
func downloaded(dir string) []string {
	dirs, _ := filepath.Glob(filepath.Join(dir, "*", "bin")) // fails on a bad pattern only
	return dirs
}

// download fetches and unpacks one major version into a folder below dir,
// about 30 MB from Maven Central, and says so first.
func download(ctx context.Context, dir string, major int, log *slog.Logger) (Binaries, error) {
	version, ok := downloadVersions[major]
	if !ok {
		return Binaries{}, fmt.Errorf("PostgreSQL %d cannot be downloaded", major)
	}
	if dir == "" {
		return Binaries{}, errors.New("no folder for the download was given")
	}
	log.InfoContext(ctx, "no PostgreSQL found, downloading it",
		"version", string(version), "from", "https://repo1.maven.org/maven2", "to", dir, "system", runtime.GOOS+"/"+runtime.GOARCH)

	target := filepath.Join(dir, fmt.Sprint(major))
	done := make(chan error, 1)
	go func() { done <- fetch(ctx, dir, target, version) }() // the library takes no context
	select {
	case <-ctx.Done():
		return Binaries{}, ctx.Err()
	case err := <-done:
		if err != nil {
			return Binaries{}, err
		}
	}
	return inspect(ctx, filepath.Join(target, "bin"))
}

// fetch has the library fetch the binaries. It offers no call for that alone:
// Start fetches, unpacks, and then clears the data folder to run initdb, which
// it would do as root too. We only want the first two steps and our own
// supervisor for the rest, so the data folder is one that os.RemoveAll is
// documented to refuse (a path ending in "."): Start always returns an error,
// and whether the binaries are there decides.
func fetch(ctx context.Context, dir, target string, version embeddedpostgres.PostgresVersion) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	port, err := freePort(ctx)
	if err != nil {
		return err
	}
	runtimeDir := filepath.Join(dir, "unpack")
	defer func() { _ = os.RemoveAll(runtimeDir) }() // left-overs of no use
	err = embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().
		Version(version).
		Port(port).
		CachePath(dir).
		RuntimePath(runtimeDir).
		BinariesPath(target).
		DataPath(filepath.Join(runtimeDir, "data") + "/.")).Start()
	if _, statErr := os.Stat(filepath.Join(target, "bin", "initdb")); statErr != nil {
		return errors.Join(err, os.RemoveAll(target))
	}
	return readable(target)
}

// readable opens the unpacked files to the user PostgreSQL runs as: they hold
// no secrets, and archives disagree about modes.
func readable(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		mode := info.Mode().Perm() | 0o444
		if entry.IsDir() || mode&0o100 != 0 {
			mode |= 0o111
		}
		return os.Chmod(path, mode)
	})
}

// freePort satisfies the library, which insists on a free port even though we
// let no server listen on it.
func freePort(ctx context.Context) (uint32, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "localhost:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return uint32(l.Addr().(*net.TCPAddr).Port), nil
}
