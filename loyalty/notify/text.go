package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"sello/db"
)

// Channel is how a message goes.
type Channel string

// The channels.
const (
	ByEmail    Channel = "email"
	BySMS      Channel = "sms"
	ByWhatsApp Channel = "whatsapp"
)

// SMS is the job that sends one message to a phone, by SMS or WhatsApp.
type SMS struct {
	CompanyID      uuid.UUID `json:"company_id" river:"unique"`
	NotificationID uuid.UUID `json:"notification_id" river:"unique"`
}

// Kind is the job's name in River.
func (SMS) Kind() string { return "notify_sms" }

// InsertOpts makes the job unique per message among those that may still run.
func (SMS) InsertOpts() river.InsertOpts { return Email{}.InsertOpts() }

// Text is a message for one phone, about a movement of a card.
type Text struct {
	ID      uuid.UUID
	Channel Channel
	// Kind says what it is about, such as wallet_sale.
	Kind string
	// To is the phone, E.164.
	To, Body string
	CardID   uuid.UUID
	Seq      int64
	// Price is what was charged for it, in the same transaction; zero for nothing.
	Price decimal.Decimal
}

// Outgoing is a text on its way to a provider.
type Outgoing struct {
	// ID is the same for each attempt, so that a provider may drop a second copy.
	ID      uuid.UUID
	Channel Channel
	To      string
	Body    string
}

// Texter takes messages to phones: a provider's, or none.
type Texter interface {
	// SendText fails with *PermanentError where the provider rules the message out,
	// else with *SendError.
	SendText(ctx context.Context, m Outgoing) error
	// Outcome is the status of a message that SendText has taken: Sent or Kept.
	Outcome() Status
}

// TextKeeper is the Texter of an installation without a provider: messages are in the
// outbox, and a line in the log says so.
type TextKeeper struct{ Log *slog.Logger }

// SendText notes that a message is kept, but not whose it is and what it says.
func (k TextKeeper) SendText(ctx context.Context, m Outgoing) error {
	log := k.Log
	if log == nil {
		log = slog.Default()
	}
	log.InfoContext(ctx, "message kept", "notification_id", m.ID, "channel", m.Channel)
	return nil
}

// Outcome says that messages are kept.
func (TextKeeper) Outcome() Status { return Kept }

// Accounts are who pays for messages to phones.
type Accounts interface {
	// Refund gives back what was charged for a message that is not delivered.
	Refund(ctx context.Context, tx db.Tx, company, message uuid.UUID, price decimal.Decimal) error
	// Recharge charges for one that is tried again, and answers its price.
	Recharge(ctx context.Context, tx db.Tx, company, message uuid.UUID) (decimal.Decimal, error)
}

// QueueTexts puts messages to phones into the outbox and queues their jobs, in the
// caller's transaction, which also charges for them.
func (s *Service) QueueTexts(ctx context.Context, tx db.Tx, company uuid.UUID, texts []Text) error {
	if len(texts) == 0 {
		return nil
	}
	in := db.NotificationTextsCreateParams{CompanyID: company, Now: s.Now()}
	jobs := make([]river.InsertManyParams, len(texts))
	for i, m := range texts {
		in.Ids, in.Channels, in.Kinds = append(in.Ids, m.ID), append(in.Channels, string(m.Channel)), append(in.Kinds, m.Kind)
		in.Recipients, in.Bodies = append(in.Recipients, m.To), append(in.Bodies, m.Body)
		in.CardIds, in.Seqs, in.Prices = append(in.CardIds, m.CardID), append(in.Seqs, m.Seq), append(in.Prices, m.Price)
		jobs[i] = river.InsertManyParams{Args: SMS{CompanyID: company, NotificationID: m.ID}}
	}
	if err := tx.NotificationTextsCreate(ctx, in); err != nil {
		return fmt.Errorf("queue messages to phones: %w", err)
	}
	if _, err := s.Jobs.InsertManyTx(ctx, tx.Conn, jobs); err != nil {
		return fmt.Errorf("enqueue messages to phones: %w", err)
	}
	return nil
}

// refund gives the price of a message that has failed back, once.
func (s *Service) refund(ctx context.Context, tx db.Tx, company, id uuid.UUID) error {
	if s.Accounts == nil {
		return nil
	}
	price, err := tx.NotificationPriceTake(ctx, company, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("take the price off a message: %w", err)
	}
	return s.Accounts.Refund(ctx, tx, company, id, price)
}

// recharge charges for a message that is tried again, and answers what is charged for
// it now. It refuses as the account does.
func (s *Service) recharge(ctx context.Context, tx db.Tx, row db.Notification) (*decimal.Decimal, error) {
	if s.Accounts == nil || row.CardID == nil || row.Price != nil {
		return row.Price, nil
	}
	price, err := s.Accounts.Recharge(ctx, tx, row.CompanyID, row.ID)
	if err != nil || price.IsZero() {
		return nil, err
	}
	if err := tx.NotificationPriceSet(ctx, db.NotificationPriceSetParams{CompanyID: row.CompanyID, ID: row.ID, Price: price}); err != nil {
		return nil, fmt.Errorf("note the price of a message: %w", err)
	}
	return &price, nil
}

// lostAfter is longer than a message's job tries.
const lostAfter = 4 * 24 * time.Hour

// overdueBatch bounds what one run of Overdue looks at.
const overdueBatch = 500

// cancelledWithin is how long River keeps a job that was cancelled.
const cancelledWithin = 24 * time.Hour

// Overdue gives up messages whose job is gone: cancelled in the job console, which tells
// nobody, or lost. It pays back those that failed otherwise, as with the erasure of whom
// they were for. It may run twice.
func (s *Service) Overdue(ctx context.Context) (int, error) {
	cancelled, err := s.DB.MessagesCancelled(ctx, nil, []string{Email{}.Kind(), SMS{}.Kind()}, s.Now().Add(-cancelledWithin), overdueBatch)
	if err != nil {
		return 0, err
	}
	for i, m := range cancelled {
		if err := s.GiveUp(ctx, m.CompanyID, m.ID, errCancelled); err != nil {
			return i, err
		}
	}
	rows, err := s.DB.NotificationsOverdue(ctx, s.Now().Add(-lostAfter), overdueBatch)
	if err != nil {
		return len(cancelled), fmt.Errorf("look for messages that nobody sends: %w", err)
	}
	for i, row := range rows {
		if err := s.GiveUp(ctx, row.CompanyID, row.ID, &PermanentError{Reason: "the message was never taken up"}); err != nil {
			return len(cancelled) + i, err
		}
	}
	return len(cancelled) + len(rows), nil
}
