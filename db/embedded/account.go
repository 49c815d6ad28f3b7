package embedded

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
)

// account is the user PostgreSQL runs as when we are root.
type account struct {
	name     string
	uid, gid int
}

// serverUser returns nil when the server may run as this process's user.
// initdb and postgres refuse root; then it is the owner of the existing
// cluster, else the first of postgres, sello and nobody that the system knows.
func serverUser(cluster string) (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	if info, err := os.Stat(cluster); err == nil {
		if uid := ownerOf(info); uid > 0 {
			return accountOf(user.LookupId(strconv.Itoa(uid)))
		}
	}
	for _, name := range []string{"postgres", "sello", "nobody"} {
		if a, err := accountOf(user.Lookup(name)); err == nil {
			return a, nil
		}
	}
	return nil, &Error{
		Kind:    ErrPermission,
		Message: "PostgreSQL refuses to run as root, and this system has no user postgres, sello or nobody to run it as. Create one (useradd --system sello) or run as an ordinary user.",
	}
}

func accountOf(u *user.User, err error) (*account, error) {
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, fmt.Errorf("user id of %s: %w", u.Username, err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, fmt.Errorf("group id of %s: %w", u.Username, err)
	}
	return &account{name: u.Username, uid: uid, gid: gid}, nil
}

func wantedUID(a *account) int {
	if a == nil {
		return os.Geteuid()
	}
	return a.uid
}

func chown(path string, a *account) error {
	if a == nil {
		return nil
	}
	return os.Chown(path, a.uid, a.gid)
}
