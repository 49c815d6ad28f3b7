package notify

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/google/uuid"
)

// Mail is one message on its way.
type Mail struct {
	// ID makes the Message-ID: the same for each attempt, so that a mailbox may
	// drop a second copy.
	ID      uuid.UUID
	To      string
	Subject string
	// Body is plain text.
	Body       string
	Date       time.Time
	Attachment *Attachment
}

// Attachment is a file that goes with a mail, UTF-8 CSV.
type Attachment struct {
	Name string
	// Write makes the content.
	Write func(io.Writer) error
}

// Mailer takes mails: a server's, or none.
type Mailer interface {
	Send(ctx context.Context, m Mail) error
	// Outcome is the status of a message that Send has taken: Sent or Kept.
	Outcome() Status
}

// Keeper is the Mailer of an installation without a mail server.
type Keeper struct{}

// Send does nothing: the message is in the outbox already.
func (Keeper) Send(context.Context, Mail) error { return nil }

// Outcome says that messages are kept.
func (Keeper) Outcome() Status { return Kept }

// PermanentError is a failure that no further attempt can mend. Its text is fit
// for operators.
type PermanentError struct {
	// Reason holds neither secrets nor what the server said.
	Reason string
	err    error
}

// Error names the reason.
func (e *PermanentError) Error() string { return e.Reason }

// Unwrap is the cause, whose text may name persons: not for logs.
func (e *PermanentError) Unwrap() error { return e.err }

// SendError is a failure that another attempt may mend, with the same care.
type SendError struct {
	Reason string
	err    error
}

// Error names the reason.
func (e *SendError) Error() string { return e.Reason }

// Unwrap is the cause, whose text may name persons: not for logs.
func (e *SendError) Unwrap() error { return e.err }

// reason is what is shown of a failure: the words we know to be clean.
func reason(err error) string {
	if e, ok := errors.AsType[*PermanentError](err); ok {
		return e.Reason
	}
	if e, ok := errors.AsType[*SendError](err); ok {
		return e.Reason
	}
	return "the message could not be prepared"
}
