package embedded

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// DefaultDataDir returns where the data live when nobody says otherwise:
// $XDG_DATA_HOME/sello or the user's data folder of the system; for root, whose
// home is closed to the user that PostgreSQL must run as, /var/lib/sello.
func DefaultDataDir() (string, error) {
	owner, err := serverUser("")
	if err != nil {
		return "", err
	}
	var choices []string
	if xdg := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(xdg) {
		choices = append(choices, filepath.Join(xdg, "sello"))
	}
	if home, err := os.UserHomeDir(); err == nil {
		switch runtime.GOOS {
		case "darwin":
			choices = append(choices, filepath.Join(home, "Library", "Application Support", "sello"))
		default:
			choices = append(choices, filepath.Join(home, ".local", "share", "sello"))
		}
	}
	if owner != nil {
		choices = append(choices, "/var/lib/sello", filepath.Join(os.TempDir(), "sello"))
	}
	for _, dir := range choices {
		if closedFolder(dir, owner) == "" {
			return dir, nil
		}
	}
	return "", &Error{Kind: ErrPermission, Message: "No folder for the data was found. Set HOME or XDG_DATA_HOME to a folder of yours."}
}

// layout is the data folder, made ready for the user the server runs as.
type layout struct {
	dir       string
	cluster   string // pgdata
	socketDir string
	logFile   string
	owner     *account // nil: the same user as this process
}

// prepare creates the folders. It refuses with [ErrPermission].
func prepare(dir string) (layout, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return layout{}, err
	}
	l := layout{
		dir:     abs,
		cluster: filepath.Join(abs, "pgdata"),
		logFile: filepath.Join(abs, "postgres.log"),
	}
	if l.owner, err = serverUser(l.cluster); err != nil {
		return layout{}, err
	}
	mode := os.FileMode(0o700)
	if l.owner != nil {
		mode = 0o711 // the server's user passes through, and cannot look around
	}
	if err := os.MkdirAll(abs, mode); err != nil {
		return layout{}, noAccess(abs, err)
	}
	if closed := closedFolder(abs, l.owner); closed != "" {
		return layout{}, &Error{
			Kind: ErrPermission,
			Message: fmt.Sprintf("PostgreSQL refuses to run as root, so it runs as the user %q, which may not enter %s. "+
				"Choose a data folder elsewhere (%s), run as an ordinary user, or allow it with: chmod a+x %s", l.owner.name, closed, "/var/lib/sello", closed),
		}
	}
	l.socketDir = socketDir(abs)
	if err := ownFolder(l.socketDir, l.owner); err != nil {
		return layout{}, noAccess(l.socketDir, err)
	}
	return l, nil
}

func noAccess(path string, err error) *Error {
	if !errors.Is(err, os.ErrPermission) {
		return &Error{Kind: ErrPermission, Cause: err, Message: fmt.Sprintf("The folder %s cannot be used.", path)}
	}
	return &Error{
		Kind: ErrPermission, Cause: err,
		Message: fmt.Sprintf("This user may not use the folder %s. Run as the user that created it, or choose another data folder.", path),
	}
}

// maxSocketPath is what fits into sockaddr_un with its terminating zero: 108
// bytes on Linux, 104 on macOS and the BSDs.
func maxSocketPath() int {
	if runtime.GOOS == "linux" {
		return 107
	}
	return 103
}

const socketFile = ".s.PGSQL.5432"

// socketDir is run/ in the data folder, or a folder of the system's temporary
// one, named by a hash, where the path would be too long or would hold what the
// server's or a client's list of addresses reads as a separator.
func socketDir(dataDir string) string {
	dir := filepath.Join(dataDir, "run")
	if len(filepath.Join(dir, socketFile)) <= maxSocketPath() && !strings.ContainsAny(dir, `,"`) {
		return dir
	}
	sum := sha256.Sum256([]byte(dataDir))
	return filepath.Join(os.TempDir(), "sello-"+hex.EncodeToString(sum[:6]))
}

// ownFolder creates a folder only the server's user can use. An existing one
// must be a real folder of that user: in a shared temporary folder it could be
// a trap laid by somebody else.
func ownFolder(dir string, owner *account) error {
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		return chown(dir, owner)
	}
	if !errors.Is(err, os.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	switch uid := ownerOf(info); {
	case !info.IsDir():
		return errors.New("it is not a folder")
	case uid == wantedUID(owner):
		return os.Chmod(dir, 0o700)
	case uid == os.Geteuid(): // root's, from a run that was killed half-way
		return chown(dir, owner)
	default:
		return fmt.Errorf("it belongs to user id %d", uid)
	}
}

// closedFolder returns the first folder on the way to path, itself included,
// that the account may not enter; "" if the way is free. Folders that do not
// exist yet are no obstacle. Without an account the kernel will say.
func closedFolder(path string, a *account) string {
	if a == nil {
		return ""
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		abs = real
	}
	var way []string
	for dir := abs; ; dir = filepath.Dir(dir) {
		way = append(way, dir)
		if dir == filepath.Dir(dir) {
			break
		}
	}
	for i := len(way) - 1; i >= 0; i-- {
		info, err := os.Stat(way[i])
		if err != nil {
			return ""
		}
		if !mayEnter(info, a) {
			return way[i]
		}
	}
	return ""
}
