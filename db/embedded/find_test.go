package embedded_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sello/db/embedded"
)

func TestFind(t *testing.T) { // not parallel: see fakeBinaries
	dir := fakeBinaries(t, 16, "16.9 (Debian 16.9-1)")

	b, err := embedded.Find(t.Context(), embedded.FindOptions{Dir: dir})

	if err != nil || b != (embedded.Binaries{Dir: dir, Major: 16, Version: "16.9"}) {
		t.Errorf("Find: got %+v, %v", b, err)
	}
}

func TestFindFailsWithWaysOut(t *testing.T) { // not parallel: see fakeBinaries
	for _, tt := range []struct {
		name string
		o    embedded.FindOptions
		want string
	}{
		{
			name: "nothing in the folder",
			o:    embedded.FindOptions{Dir: t.TempDir()}, want: "holds no usable PostgreSQL",
		},
		{
			name: "too old",
			o:    embedded.FindOptions{Dir: fakeBinaries(t, 14, "14.1")}, want: "PostgreSQL 14.1 is too old",
		},
		{
			name: "data of another version",
			o:    embedded.FindOptions{Dir: fakeBinaries(t, 16, "16.9"), DataDir: clusterOf(t, 15)}, want: "were written by PostgreSQL 15",
		},
		{
			name: "only a download could help, and there is none", // so this stays off the network
			o:    embedded.FindOptions{DataDir: clusterOf(t, 9), AllowDownload: true, DownloadDir: t.TempDir()},
			want: "PostgreSQL 9 cannot be downloaded",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			b, err := embedded.Find(t.Context(), tt.o)

			if !errors.Is(err, embedded.ErrNotFound) {
				t.Fatalf("Find: got %+v, %v, want ErrNotFound", b, err)
			}
			for _, want := range []string{tt.want, "postgresql package", "DATABASE_URL", "SELLO_PG_BIN"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("Find: got %q, want it to say %q", err, want)
				}
			}
		})
	}
}

func TestFindTakesDownloadedBinaries(t *testing.T) { // not parallel: see fakeBinaries
	downloads := t.TempDir()
	if err := os.Rename(filepath.Dir(fakeBinaries(t, 99, "99.1")), filepath.Join(downloads, "99")); err != nil {
		t.Fatal(err)
	}

	b, err := embedded.Find(t.Context(), embedded.FindOptions{AllowDownload: true, DownloadDir: downloads})

	if err != nil || b.Version != "99.1" {
		t.Errorf("Find: got %+v, %v, want the newest, which an earlier run fetched", b, err)
	}
}

// fakeBinaries is an installation that can say its version, and no more. A
// process started meanwhile would inherit the open script and make it "text file
// busy", so the tests that call this run before the parallel ones.
func fakeBinaries(t *testing.T, major int, version string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), fmt.Sprint(major), "bin")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"initdb", "postgres"} {
		script := fmt.Sprintf("#!/bin/sh\necho '%s (PostgreSQL) %s'\n", name, version)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// clusterOf is a data folder with just enough of a cluster to tell its version.
func clusterOf(t *testing.T, major int) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "pgdata"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pgdata", "PG_VERSION"), fmt.Appendln(nil, major), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}
