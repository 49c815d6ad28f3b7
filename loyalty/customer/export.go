package customer

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// exportPage is how many rows of one kind are in memory.
const exportPage = 1000

// Export writes everything that is held about a person as one JSON object: the
// customer and those merged into them, segments, cards with all their movements,
// messages, and what was done to them. It reads in pages and holds no connection
// while the reader takes its time, so the size of what there is does not matter; of
// a card that moves meanwhile it tells the movements up to the moment that the card
// was read. The audit entry is written before the first byte. It refuses, before
// that too, with CUSTOMER_NOT_FOUND and CUSTOMER_MERGED. A writer that fails ends it.
func (s *Service) Export(ctx context.Context, who auth.Principal, id uuid.UUID, w io.Writer) error {
	people, err := s.exported(ctx, who, id)
	if err != nil {
		return err
	}
	out := &document{w: bufio.NewWriterSize(w, 32<<10)}
	out.open('{')
	out.member("exportedAt", s.Now().UTC())
	out.member("customer", exportedCustomer(people[0]))
	out.list("mergedCustomers", func() error {
		for _, c := range people[1:] {
			out.element(exportedCustomer(c))
		}
		return nil
	})
	out.list("segments", func() error { return s.exportSegments(ctx, who.CompanyID, id, out) })
	ids := make([]uuid.UUID, len(people))
	for i, c := range people {
		ids[i] = c.ID
	}
	out.list("contactPoints", func() error { return s.exportContactPoints(ctx, who.CompanyID, id, out) })
	subjects := ids
	out.list("cards", func() error {
		cards, err := s.exportCards(ctx, who.CompanyID, id, out)
		subjects = slices.Concat(ids, cards)
		return err
	})
	out.list("messages", func() error { return s.exportMessages(ctx, who.CompanyID, recipients(people), subjects, out) })
	out.list("auditEntries", func() error { return s.exportAudit(ctx, who.CompanyID, subjects, out) })
	out.close('}')
	if out.err == nil {
		out.err = out.w.Flush()
	}
	if out.err != nil {
		return fmt.Errorf("export a customer: %w", out.err)
	}
	return nil
}

// exported reads whose data it is, the customer first, and notes that it is given
// out.
func (s *Service) exported(ctx context.Context, who auth.Principal, id uuid.UUID) (people []db.Customer, err error) {
	err = s.DB.InTx(ctx, func(tx db.Tx) error {
		row, err := tx.CustomerByID(ctx, who.CompanyID, id)
		if db.Absent(err) {
			return loyalty.Refuse(loyalty.CodeCustomerNotFound, "id")
		}
		if err != nil {
			return err
		}
		if row, err = usable([]db.Customer{row}, id, "id"); err != nil {
			return err
		}
		merged, err := tx.CustomersMergedInto(ctx, who.CompanyID, id)
		if err != nil {
			return err
		}
		people = append([]db.Customer{row}, merged...)
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "customer_export", "customer", id, nil)
	})
	if err != nil && loyalty.CodeOf(err) == "" {
		return nil, fmt.Errorf("begin an export: %w", err)
	}
	return people, err
}

func exportedCustomer(c db.Customer) any {
	return struct {
		ID         string          `json:"id"`
		Code       *string         `json:"code"`
		Active     bool            `json:"active"`
		FirstName  string          `json:"firstName"`
		LastName   *string         `json:"lastName"`
		Email      *string         `json:"email"`
		Phone      *string         `json:"phone"`
		Document   *string         `json:"document"`
		QRCode     string          `json:"qrCode"`
		Birthdate  *string         `json:"birthdate"`
		Attributes json.RawMessage `json:"attributes"`
		CreatedAt  time.Time       `json:"createdAt"`
		UpdatedAt  time.Time       `json:"updatedAt"`
		ErasedAt   *time.Time      `json:"erasedAt"`
	}{
		(&Customer{Customer: c}).GlobalID(), c.Code, c.Active, c.FirstName, c.LastName, c.Email, c.Phone, c.Document, c.QrCode,
		dayText(c.Birthdate), c.Attributes, c.CreatedAt.UTC(), c.UpdatedAt.UTC(), c.ErasedAt,
	}
}

func dayText(day *time.Time) *string {
	if day == nil {
		return nil
	}
	return new(day.Format(time.DateOnly))
}

func (s *Service) exportSegments(ctx context.Context, company, id uuid.UUID, out *document) error {
	rows, err := s.DB.ExportSegments(ctx, company, id)
	for _, row := range rows {
		out.element(struct {
			Code    string    `json:"code"`
			Name    string    `json:"name"`
			AddedAt time.Time `json:"addedAt"`
		}{row.Code, row.Name, row.AddedAt.UTC()})
	}
	return err
}

// exportCards writes the customer's cards, each with its movements, and answers
// which they are.
func (s *Service) exportCards(ctx context.Context, company, customer uuid.UUID, out *document) (ids []uuid.UUID, err error) {
	err = pages(out, func(after uuid.UUID) ([]db.ExportCardsRow, error) {
		return s.DB.ExportCards(ctx, db.ExportCardsParams{CompanyID: company, CustomerID: &customer, After: after, BatchSize: exportPage})
	}, func(row db.ExportCardsRow) uuid.UUID { return row.Card.ID }, func(row db.ExportCardsRow) error {
		c := row.Card
		ids = append(ids, c.ID)
		out.comma()
		out.open('{')
		out.member("code", c.Code)
		out.member("cardType", row.CardTypeCode)
		out.member("unit", row.Unit)
		out.member("status", c.Status)
		out.member("balance", c.Balance)
		out.member("held", c.Held)
		out.member("holderName", c.HolderName)
		out.member("holderPhone", c.HolderPhone)
		out.member("holderBirthdate", dayText(c.HolderBirthdate))
		out.member("registeredAt", c.RegisteredAt.UTC())
		out.list("movements", func() error { return s.exportMovements(ctx, c, out) })
		out.close('}')
		return out.err
	})
	return ids, err
}

func (s *Service) exportMovements(ctx context.Context, c db.Card, out *document) error {
	for after := int64(0); after < c.Seq && out.err == nil; {
		rows, err := s.DB.ExportMovements(ctx, db.ExportMovementsParams{
			CompanyID: c.CompanyID, CardID: c.ID, AfterSeq: after, UptoSeq: c.Seq, BatchSize: exportPage,
		})
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, row := range rows {
			m := row.Movement
			out.element(struct {
				Seq          int64            `json:"seq"`
				Action       string           `json:"action"`
				Amount       decimal.Decimal  `json:"amount"`
				BalanceAfter decimal.Decimal  `json:"balanceAfter"`
				PostedAt     time.Time        `json:"postedAt"`
				Spent        *decimal.Decimal `json:"spent,omitempty"`
				Source       string           `json:"source"`
				Reference    *string          `json:"reference,omitempty"`
				Description  *string          `json:"description,omitempty"`
				// The cells of the imported row, as long as they are kept.
				Imported *string `json:"imported,omitempty"`
			}{m.Seq, m.Action, m.Amount, m.BalanceAfter, m.PostedAt.UTC(), m.Spent, m.Source, m.Reference, m.Description, row.Raw})
		}
		after = rows[len(rows)-1].Movement.Seq
	}
	return out.err
}

func (s *Service) exportMessages(ctx context.Context, company uuid.UUID, to []string, about []uuid.UUID, out *document) error {
	return pages(out, func(after uuid.UUID) ([]db.Notification, error) {
		return s.DB.ExportNotifications(ctx, db.ExportNotificationsParams{
			CompanyID: company, Recipients: to, SubjectIds: about, After: after, BatchSize: exportPage,
		})
	}, func(n db.Notification) uuid.UUID { return n.ID }, func(n db.Notification) error {
		out.element(struct {
			Channel   string     `json:"channel"`
			Kind      string     `json:"kind"`
			Recipient string     `json:"recipient"`
			Subject   string     `json:"subject"`
			Body      string     `json:"body"`
			Status    string     `json:"status"`
			CreatedAt time.Time  `json:"createdAt"`
			SentAt    *time.Time `json:"sentAt"`
		}{n.Channel, n.Kind, n.Recipient, n.Subject, n.Body, n.Status, n.CreatedAt.UTC(), n.SentAt})
		return out.err
	})
}

func (s *Service) exportAudit(ctx context.Context, company uuid.UUID, about []uuid.UUID, out *document) error {
	return pages(out, func(after uuid.UUID) ([]db.AuditEntry, error) {
		return s.DB.ExportAuditEntries(ctx, db.ExportAuditEntriesParams{CompanyID: company, TargetIds: about, After: after, BatchSize: exportPage})
	}, func(a db.AuditEntry) uuid.UUID { return a.ID }, func(a db.AuditEntry) error {
		out.element(struct {
			At        time.Time       `json:"at"`
			Action    string          `json:"action"`
			Target    string          `json:"target"`
			ActorKind string          `json:"actorKind"`
			Detail    json.RawMessage `json:"detail"`
		}{a.At.UTC(), a.Action, a.TargetType, a.ActorKind, a.Detail})
		return out.err
	})
}

// pages reads rows page by page in the order of their ids, and tells each.
func pages[T any](out *document, read func(after uuid.UUID) ([]T, error), id func(T) uuid.UUID, tell func(T) error) error {
	for after := (uuid.UUID{}); out.err == nil; {
		rows, err := read(after)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := tell(row); err != nil {
				return err
			}
		}
		if len(rows) < exportPage {
			return nil
		}
		after = id(rows[len(rows)-1])
	}
	return out.err
}

// document writes one JSON value piece by piece; after an error it writes nothing.
type document struct {
	w   *bufio.Writer
	err error
	// first: nothing stands in the object or list that is open.
	first bool
}

func (d *document) write(text []byte) {
	if d.err == nil {
		_, d.err = d.w.Write(text)
	}
}

func (d *document) open(bracket byte) {
	d.write([]byte{bracket})
	d.first = true
}

func (d *document) close(bracket byte) {
	d.write([]byte{bracket})
	d.first = false
}

// comma parts what follows from what stands before it.
func (d *document) comma() {
	if !d.first {
		d.write([]byte(","))
	}
	d.first = false
}

func (d *document) value(v any) {
	text, err := json.Marshal(v)
	if d.err == nil {
		d.err = err
	}
	d.write(text)
}

func (d *document) element(v any) {
	d.comma()
	d.value(v)
}

func (d *document) name(name string) {
	d.comma()
	d.value(name)
	d.write([]byte(":"))
}

func (d *document) member(name string, v any) {
	d.name(name)
	d.value(v)
}

func (d *document) list(name string, fill func() error) {
	d.name(name)
	d.open('[')
	if err := fill(); err != nil && d.err == nil {
		d.err = err
	}
	d.close(']')
}
