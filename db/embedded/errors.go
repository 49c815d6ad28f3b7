package embedded

import (
	"errors"
	"fmt"
)

// The kinds of [Error], for errors.Is.
var (
	// ErrNotFound: no usable PostgreSQL binaries.
	ErrNotFound = errors.New("PostgreSQL not found")
	// ErrInUse: another process owns the data folder.
	ErrInUse = errors.New("data folder in use")
	// ErrPermission: the data folder or the binaries are out of reach of the
	// user that PostgreSQL must run as.
	ErrPermission = errors.New("no permission")
	// ErrServer: PostgreSQL itself gave up; the message ends with its last
	// words.
	ErrServer = errors.New("PostgreSQL failed")
)

// Error is written for the person in front of the terminal: what is wrong and
// what to do about it.
type Error struct {
	Kind    error  // one of the Err variables
	Message string // whole sentences
	PID     int    // of the owner, for ErrInUse; 0 when unknown
	Cause   error  // may be nil
	Advice  string // lines of their own, may be empty
}

// Error returns the message, the cause in parentheses, and the advice.
func (e *Error) Error() string {
	text := e.Message
	if e.Cause != nil {
		text += fmt.Sprintf(" (%v)", e.Cause)
	}
	if e.Advice != "" {
		text += "\n" + e.Advice
	}
	return text
}

// Unwrap lets errors.Is find the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

const waysOut = `Three ways out:
  1. install the postgresql package of your system (apt install postgresql, dnf install postgresql-server, brew install postgresql);
  2. set DATABASE_URL to a PostgreSQL 15 or newer that runs already;
  3. set SELLO_PG_BIN to the folder that holds initdb and postgres.`

func notFound(what string, cause error) *Error {
	return &Error{Kind: ErrNotFound, Message: what, Cause: cause, Advice: waysOut}
}

func inUse(dir string, pid int) *Error {
	who := "another process"
	if pid > 0 {
		who = fmt.Sprintf("process %d", pid)
	}
	return &Error{
		Kind: ErrInUse, PID: pid,
		Message: fmt.Sprintf("The data folder %s is in use by %s. Stop that one first, or choose another data folder.", dir, who),
	}
}
