package embedded

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// superuser owns the cluster; whoever reaches the socket is trusted.
const superuser = "sello"

// initCluster creates the cluster if there is none, in a folder of another
// name first: an initdb that was killed must not look like a cluster.
func initCluster(ctx context.Context, l layout, o Options) error {
	if _, err := os.Stat(filepath.Join(l.cluster, "PG_VERSION")); err == nil {
		return nil
	}
	fresh := l.cluster + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return noAccess(fresh, err)
	}
	if err := ownFolder(fresh, l.owner); err != nil {
		return noAccess(fresh, err)
	}
	// Locale C sorts and compares by bytes alike on every system; a company's
	// language is a matter of the queries that need it.
	args := []string{"-D", fresh, "-U", superuser, "--auth=trust", "--locale=C", "-E", "UTF8", "--data-checksums"}
	if o.Settings["fsync"] == "off" {
		args = append(args, "--no-sync")
	}
	cmd := serverCommand(ctx, l, o, "initdb", args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &Error{Kind: ErrServer, Cause: err, Message: "initdb could not create the cluster in " + l.dir + ":\n" + tail(string(out), 10)}
	}
	if err := os.Remove(l.cluster); err != nil && !os.IsNotExist(err) { // an empty folder at most
		return noAccess(l.cluster, err)
	}
	return os.Rename(fresh, l.cluster)
}

// serverCommand runs one of the binaries as the cluster's owner.
func serverCommand(ctx context.Context, l layout, o Options, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(o.Binaries.Dir, name), args...)
	become(cmd, l.owner)
	cmd.Dir = "/" // ours may be closed to that user
	// PGDATA, PGPORT and the like are meant for other servers. We read what
	// the server says, so it says it in English.
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "PG") }), "LC_ALL=C")
	cmd.WaitDelay = time.Second
	return cmd
}

// defaults suit a developer's machine: safe against power cuts, easy on the
// disk, quick at small queries.
var defaults = map[string]string{
	"shared_buffers":     "256MB",
	"max_connections":    "100",
	"max_wal_size":       "4GB",
	"checkpoint_timeout": "15min",
	"random_page_cost":   "1.1",
	"jit":                "off",
}

// settings are the arguments of postgres: defaults, then the caller's, then
// what the supervisor relies on.
func settings(ctx context.Context, l layout, o Options) []string {
	all := maps.Clone(defaults)
	if o.Settings["wal_compression"] == "" {
		all["wal_compression"] = walCompression(ctx, l, o)
	}
	maps.Copy(all, o.Settings)
	all["listen_addresses"] = ""
	all["unix_socket_directories"] = l.socketDir
	all["unix_socket_permissions"] = "0700"
	all["port"] = "5432" // names the socket file
	all["logging_collector"] = "off"
	all["log_destination"] = "stderr"

	args := []string{"-D", l.cluster}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		args = append(args, "-c", name+"="+all[name])
	}
	return args
}

// walCompression is lz4 where the build has it, which only the server itself
// knows for sure.
func walCompression(ctx context.Context, l layout, o Options) string {
	cmd := serverCommand(ctx, l, o, "postgres", "-D", l.cluster, "-c", "wal_compression=lz4", "-C", "wal_compression")
	if cmd.Run() != nil {
		return "on"
	}
	return "lz4"
}

// runningPID returns the process that postmaster.pid names if it is alive, 0
// otherwise. Process ids are reused, so where the system tells, the process
// must be a postgres.
func runningPID(l layout) int {
	text, err := os.ReadFile(filepath.Join(l.cluster, "postmaster.pid"))
	if err != nil {
		return 0
	}
	lines := strings.Split(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil || pid <= 1 || pid == os.Getpid() || !alive(pid) || !isPostgres(pid) {
		return 0
	}
	return pid
}

// disarm makes left-over lock files of a dead server harmless. PostgreSQL
// refuses to start while any process has the id they hold, be it a stranger or
// a corpse nobody reaped. An id of its own parent it knows to be stale, and
// then still checks that no child of the dead server is at work, which removing
// the files would skip. Call only when runningPID found nothing.
func disarm(l layout) error {
	for _, path := range []string{
		filepath.Join(l.cluster, "postmaster.pid"),
		filepath.Join(l.socketDir, socketFile+".lock"),
	} {
		text, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return noAccess(path, err)
		}
		_, rest, _ := strings.Cut(string(text), "\n")
		if err := os.WriteFile(path, fmt.Appendf(nil, "%d\n%s", os.Getpid(), rest), 0o600); err != nil {
			return noAccess(path, err)
		}
	}
	return nil
}

// isPostgres compares the program behind a process where /proc tells, and
// believes the file where it does not.
func isPostgres(pid int) bool {
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return true
	}
	program, _, _ := strings.Cut(string(cmdline), "\x00")
	return strings.HasPrefix(filepath.Base(program), "postgres") || strings.HasPrefix(filepath.Base(program), "postmaster")
}

// openLog opens the server's log for appending and begins a new one past 10 MB.
func openLog(l layout) (*os.File, error) {
	if info, err := os.Stat(l.logFile); err == nil && info.Size() > 10<<20 {
		if err := os.Rename(l.logFile, l.logFile+".old"); err != nil {
			return nil, noAccess(l.logFile, err)
		}
	}
	f, err := os.OpenFile(l.logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, noAccess(l.logFile, err)
	}
	return f, nil
}

// logSince returns the last lines the server wrote after offset.
func logSince(l layout, offset int64) string {
	text, err := os.ReadFile(l.logFile)
	if err != nil || int64(len(text)) < offset {
		return ""
	}
	return tail(string(text[offset:]), 10)
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
