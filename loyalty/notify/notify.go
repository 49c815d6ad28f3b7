// Package notify sends what the platform has to tell, by mail and to phones.
// Whoever has something to tell queues a message in the transaction that makes it
// true ([Queue], [Service.QueueTexts]); a job sends it afterwards ([Service.Send]),
// with back-off, at least once and under one id. Where no mail server or no provider
// is set, messages are kept to be read in the console. A message that cannot be sent
// undoes nothing of what it tells; what it cost is given back.
package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"sello/db"
	"sello/loyalty"
)

// Status is the state of a message.
type Status string

// The states of a message.
const (
	Queued Status = "queued"
	// Sent: the mail server, or the provider, has taken it.
	Sent Status = "sent"
	// Kept: there is no mail server, or no provider; the message is here to be read.
	Kept Status = "kept"
	// Failed: the last attempt failed, or the server refuses the recipient.
	Failed Status = "failed"
)

// JobQueue is where messages are sent from.
const JobQueue = "notify"

// sendAttempts spread over about a day and a half by the job's back-off.
const sendAttempts = 12

// Email is the job that sends one message.
type Email struct {
	CompanyID      uuid.UUID `json:"company_id" river:"unique"`
	NotificationID uuid.UUID `json:"notification_id" river:"unique"`
}

// Kind is the job's name in River.
func (Email) Kind() string { return "notify_email" }

// InsertOpts makes the job unique per message among those that may still run.
func (Email) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: JobQueue, MaxAttempts: sendAttempts, UniqueOpts: river.UniqueOpts{
		ByArgs: true,
		ByState: []rivertype.JobState{
			rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
			rivertype.JobStateRunning, rivertype.JobStateScheduled,
		},
	}}
}

// Enqueuer inserts a job in the transaction that causes it: River's client.
type Enqueuer interface {
	InsertTx(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) (*rivertype.JobInsertResult, error)
}

// Enqueuers inserts many at once, too.
type Enqueuers interface {
	Enqueuer
	InsertManyTx(ctx context.Context, tx pgx.Tx, params []river.InsertManyParams) ([]*rivertype.JobInsertResult, error)
}

// Notification is a message and what became of it.
type Notification struct {
	db.Notification
	batch *loyalty.Batch[Notification]
}

// Batch is the list the message was read with, nil for one read alone.
func (n *Notification) Batch() *loyalty.Batch[Notification] { return n.batch }

// State is the message's status.
func (n *Notification) State() Status { return Status(n.Status) }

// job is what sends the message.
func (n *Notification) job() river.JobArgs {
	if Channel(n.Channel) == ByEmail {
		return Email{CompanyID: n.CompanyID, NotificationID: n.ID}
	}
	return SMS{CompanyID: n.CompanyID, NotificationID: n.ID}
}

// Message is something to tell one recipient, in plain text.
type Message struct {
	// Kind says what it is about, such as import_result; it also finds the
	// Source of the attachment.
	Kind      string
	SubjectID uuid.UUID
	Recipient string
	Subject   string
	Body      string
	// Attachment is the name of a file that is made when the message is sent;
	// blank for none.
	Attachment string
}

// Queue puts a message into the outbox and queues its job, both in the caller's
// transaction, which holds the subject's row.
func Queue(ctx context.Context, tx db.Tx, jobs Enqueuer, company uuid.UUID, now time.Time, m Message) (*Notification, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make an id: %w", err)
	}
	in := db.NotificationCreateParams{
		CompanyID: company, ID: id, Channel: "email", Kind: m.Kind, SubjectID: m.SubjectID, Recipient: m.Recipient,
		Subject: m.Subject, Body: m.Body, Now: now,
	}
	if m.Attachment != "" {
		in.Attachment = &m.Attachment
	}
	row, err := tx.NotificationCreate(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("queue a message: %w", err)
	}
	if _, err := jobs.InsertTx(ctx, tx.Conn, Email{CompanyID: company, NotificationID: id}, nil); err != nil {
		return nil, fmt.Errorf("enqueue a message: %w", err)
	}
	return &Notification{Notification: row}, nil
}

// QueueAll puts messages without attachments into the outbox and queues their jobs,
// all in the caller's transaction, which keeps others from telling of the same
// subjects.
func (s *Service) QueueAll(ctx context.Context, tx db.Tx, company uuid.UUID, messages []Message) error {
	in := db.NotificationsCreateParams{CompanyID: company, Now: s.Now()}
	jobs := make([]river.InsertManyParams, len(messages))
	for i, m := range messages {
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("make an id: %w", err)
		}
		in.Ids, in.Kinds, in.SubjectIds = append(in.Ids, id), append(in.Kinds, m.Kind), append(in.SubjectIds, m.SubjectID)
		in.Recipients, in.Subjects, in.Bodies = append(in.Recipients, m.Recipient), append(in.Subjects, m.Subject), append(in.Bodies, m.Body)
		jobs[i] = river.InsertManyParams{Args: Email{CompanyID: company, NotificationID: id}}
	}
	if err := tx.NotificationsCreate(ctx, in); err != nil {
		return fmt.Errorf("queue messages: %w", err)
	}
	if _, err := s.Jobs.InsertManyTx(ctx, tx.Conn, jobs); err != nil {
		return fmt.Errorf("enqueue messages: %w", err)
	}
	return nil
}

// Source writes the attachment of the messages of one kind, anew each time.
type Source func(ctx context.Context, company, subject uuid.UUID, w io.Writer) error

// Service sends messages. DB, Mailer and Now are required; Jobs by
// Retry and QueueAll only.
type Service struct {
	DB     *db.Store
	Jobs   Enqueuers
	Mailer Mailer
	Now    func() time.Time
	// Sources make attachments, by kind of message.
	Sources map[string]Source
	// Texter takes messages to phones; nil keeps them.
	Texter Texter
	// Accounts pay for messages to phones; nil where nothing is charged.
	Accounts Accounts
}

// Send sends a queued message. One that is not queued any more, or not there,
// is left alone, so that it may be called again; a process that dies between
// the mail server's answer and our note of it sends a second copy under the
// same Message-ID. An error that no further attempt can mend is a
// *PermanentError.
func (s *Service) Send(ctx context.Context, company, id uuid.UUID) error {
	row, err := s.DB.NotificationByID(ctx, company, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read a message: %w", err)
	}
	switch {
	case Status(row.Status) == Failed && row.Price != nil: // given up by an erasure
		return s.DB.InTx(ctx, func(tx db.Tx) error { return s.refund(ctx, tx, company, id) })
	case Status(row.Status) != Queued:
		return nil
	case Channel(row.Channel) != ByEmail:
		return s.sendText(ctx, row)
	}
	mail := Mail{ID: row.ID, To: row.Recipient, Subject: row.Subject, Body: row.Body, Date: row.CreatedAt}
	if row.Attachment != nil && s.Mailer.Outcome() == Sent {
		if mail.Attachment, err = s.attachment(ctx, row); err != nil {
			return err
		}
	}
	if err := s.Mailer.Send(ctx, mail); err != nil {
		return err
	}
	// The mail is out: the note of it is made even if the job was told to stop.
	return s.note(context.WithoutCancel(ctx), s.DB.Queries, company, id, s.Mailer.Outcome(), nil)
}

func (s *Service) sendText(ctx context.Context, row db.Notification) error {
	var texter Texter = TextKeeper{}
	if s.Texter != nil {
		texter = s.Texter
	}
	if err := texter.SendText(ctx, Outgoing{ID: row.ID, Channel: Channel(row.Channel), To: row.Recipient, Body: row.Body}); err != nil {
		return err
	}
	return s.note(context.WithoutCancel(ctx), s.DB.Queries, row.CompanyID, row.ID, texter.Outcome(), nil)
}

func (s *Service) attachment(ctx context.Context, row db.Notification) (*Attachment, error) {
	source, ok := s.Sources[row.Kind]
	if !ok {
		return nil, fmt.Errorf("attach to a message: no source for kind %q", row.Kind)
	}
	return &Attachment{Name: *row.Attachment, Write: func(w io.Writer) error {
		return source(ctx, row.CompanyID, row.SubjectID, w)
	}}, nil
}

// GiveUp notes that a queued message will not be sent and why, and gives back what it
// cost.
func (s *Service) GiveUp(ctx context.Context, company, id uuid.UUID, cause error) error {
	return s.DB.InTx(ctx, func(tx db.Tx) error {
		if err := s.note(ctx, tx.Queries, company, id, Failed, new(reason(cause))); err != nil {
			return err
		}
		return s.refund(ctx, tx, company, id)
	})
}

// errCancelled is why a message is given up whose job was cancelled.
var errCancelled = &PermanentError{Reason: "the job was cancelled"}

// JobCancelled gives up the message of a job that was cancelled before it ran; of one
// that has ended already it changes nothing.
func (s *Service) JobCancelled(ctx context.Context, args []byte) error {
	var job Email // as SMS
	if err := json.Unmarshal(args, &job); err != nil {
		return fmt.Errorf("read the arguments of a cancelled job: %w", err)
	}
	return s.GiveUp(ctx, job.CompanyID, job.NotificationID, errCancelled)
}

func (s *Service) note(ctx context.Context, q *db.Queries, company, id uuid.UUID, status Status, text *string) error {
	_, err := q.NotificationEnd(ctx, db.NotificationEndParams{
		CompanyID: company, ID: id, Status: string(status), Error: text, Now: s.Now(),
	})
	if err != nil {
		return fmt.Errorf("note what became of a message: %w", err)
	}
	return nil
}

// Retry queues a failed message again, and charges for it again. It refuses with
// NOT_FOUND, with STATE_CONFLICT one that has not failed or whose recipient was
// erased, and with MESSAGE_BALANCE_LOW.
func (s *Service) Retry(ctx context.Context, company, id uuid.UUID) (*Notification, error) {
	var row db.Notification
	err := s.DB.InTx(ctx, func(tx db.Tx) error {
		var err error
		row, err = tx.NotificationRetry(ctx, company, id)
		if errors.Is(err, pgx.ErrNoRows) {
			if _, err := tx.NotificationByID(ctx, company, id); errors.Is(err, pgx.ErrNoRows) {
				return loyalty.Refuse(loyalty.CodeNotFound, "id")
			} else if err != nil {
				return fmt.Errorf("read a message: %w", err)
			}
			return loyalty.Refuse(loyalty.CodeStateConflict, "id")
		}
		if err != nil {
			return fmt.Errorf("queue a message again: %w", err)
		}
		if row.Recipient == erased {
			return loyalty.Refuse(loyalty.CodeStateConflict, "id")
		}
		if row.Price, err = s.recharge(ctx, tx, row); err != nil {
			return err
		}
		if _, err := s.Jobs.InsertTx(ctx, tx.Conn, (&Notification{Notification: row}).job(), nil); err != nil {
			return fmt.Errorf("enqueue a message: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &Notification{Notification: row}, nil
}

// erased is what an erasure leaves of a recipient.
const erased = "-"

// Get reads a message. It refuses with NOT_FOUND.
func (s *Service) Get(ctx context.Context, company, id uuid.UUID) (*Notification, error) {
	row, err := s.DB.NotificationByID(ctx, company, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, loyalty.Refuse(loyalty.CodeNotFound, "id")
	}
	if err != nil {
		return nil, fmt.Errorf("read a message: %w", err)
	}
	return &Notification{Notification: row}, nil
}

// List reads messages newest first, from below the id given (nil: from the
// newest), of one status or of all.
func (s *Service) List(ctx context.Context, company uuid.UUID, before *uuid.UUID, status *Status, limit int) ([]*Notification, error) {
	rows, err := s.DB.NotificationsPage(ctx, db.NotificationsPageParams{
		CompanyID: company, Before: before, Status: (*string)(status), BatchSize: int32(limit),
	})
	if err != nil {
		return nil, fmt.Errorf("list messages: %w", err)
	}
	return asNotifications(rows), nil
}

// BySubjects reads the messages of one kind about the objects of a page, in the
// order of the objects' ids, oldest first.
func (s *Service) BySubjects(ctx context.Context, company uuid.UUID, kind string, subjects []uuid.UUID) ([]*Notification, error) {
	rows, err := s.DB.NotificationsBySubjects(ctx, db.NotificationsBySubjectsParams{CompanyID: company, Kind: kind, SubjectIds: subjects})
	if err != nil {
		return nil, fmt.Errorf("list messages: %w", err)
	}
	return asNotifications(rows), nil
}

func asNotifications(rows []db.Notification) []*Notification {
	list := make([]*Notification, len(rows))
	for i, row := range rows {
		list[i] = &Notification{Notification: row}
	}
	batch := loyalty.NewBatch(list)
	for _, n := range list {
		n.batch = batch
	}
	return list
}

// ByIDs reads messages of a company.
func (s *Service) ByIDs(ctx context.Context, company uuid.UUID, ids []uuid.UUID) (map[uuid.UUID]*Notification, error) {
	rows, err := s.DB.NotificationsByIDs(ctx, company, ids)
	if err != nil {
		return nil, fmt.Errorf("read messages: %w", err)
	}
	found := make(map[uuid.UUID]*Notification, len(rows))
	for _, n := range asNotifications(rows) {
		found[n.ID] = n
	}
	return found, nil
}
