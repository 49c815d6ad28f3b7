package ledger

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/govalues/decimal"
	"github.com/riverqueue/river"

	"sello/db"
	"sello/loyalty"
)

// ExpiryNotice is the job that tells a company's customers what ends soon.
type ExpiryNotice struct {
	CompanyID uuid.UUID `json:"company_id" river:"unique"`
	// Day is the company's business day on which it runs; "" is today.
	Day string `json:"day,omitempty" river:"unique"`
	// Asked names a run that somebody asked for, beside the day's own.
	Asked string `json:"asked,omitempty" river:"unique"`
}

// Kind is the job's name in River.
func (ExpiryNotice) Kind() string { return "expiry_notice" }

// InsertOpts makes the job unique per company and day.
func (ExpiryNotice) InsertOpts() river.InsertOpts { return expiryOpts() }

// Notice is what a customer was told: that so much of a card ends on a day.
type Notice struct{ db.ExpiryNotice }

// NoticeMail is the kind of the mails about points that end.
const NoticeMail = "points_expiring"

// Mail is what a customer is told by mail.
type Mail struct {
	Kind string
	// SubjectID is what it is about, CardID here.
	SubjectID                uuid.UUID
	Recipient, Subject, Body string
}

// Noticed counts what a run told.
type Noticed struct {
	Notices int  `json:"notices"`
	Mails   int  `json:"mails"`
	Done    bool `json:"done"`
}

// noticeBatch bounds what one transaction tells.
const noticeBatch = 1000

// ExpiryNotices tells once, at each of the distances that a card type has, what of a
// card ends on a day: a row, an event, and a mail where the customer has an address
// and mails are sent. A day that comes nearer than a distance before the job runs is
// told at the distance that it has then. Run again it tells nothing again, also
// where points were added meanwhile.
func (s *Service) ExpiryNotices(ctx context.Context, company uuid.UUID, pace Pace) (Noticed, error) {
	var out Noticed
	c, err := s.DB.CompanyByID(ctx, company)
	if err != nil {
		return out, fmt.Errorf("read a company: %w", err)
	}
	zone, err := loyalty.Zone(c.TimeZone)
	if err != nil {
		return out, fmt.Errorf("the company's time zone: %w", err)
	}
	far, err := s.DB.NoticeDaysMost(ctx, company)
	if err != nil {
		return out, fmt.Errorf("read distances of notices: %w", err)
	}
	today := dayOf(s.moment(), zone)
	var after dayPlace
	for far > 0 {
		if pace != nil && !pace() {
			return out, nil
		}
		var rows []db.ExpiryNoticesRow
		notices, mails := 0, 0
		err := s.DB.InTx(ctx, func(tx db.Tx) error {
			if err := tx.ExpiryNoticeLock(ctx, company); err != nil {
				return fmt.Errorf("wait for the company's other notices: %w", err)
			}
			var err error
			rows, err = tx.ExpiryNotices(ctx, db.ExpiryNoticesParams{
				CompanyID: company, Today: today, Until: today.AddDate(0, 0, int(far)), AfterOn: after.on, AfterCard: after.card,
				BatchSize: noticeBatch, Now: s.moment(),
			})
			if err != nil {
				return fmt.Errorf("tell what ends soon: %w", err)
			}
			var told []Mail
			notices = 0
			for _, row := range rows {
				if row.Days == nil {
					continue
				}
				notices++
				if row.Email != nil {
					told = append(told, noticeMail(c, row))
				}
			}
			if mails = len(told); mails == 0 || s.Mail == nil {
				mails = 0
				return nil
			}
			return s.Mail(ctx, tx, company, told)
		})
		if err != nil {
			return out, err
		}
		out.Notices, out.Mails = out.Notices+notices, out.Mails+mails
		if len(rows) < noticeBatch {
			break
		}
		after = dayPlace{rows[len(rows)-1].ExpiresOn, rows[len(rows)-1].CardID}
	}
	out.Done = true
	return out, nil
}

// noticeWords are a notice in one language: its subject (with the company's name)
// and body (name, amount, card type, card, day, company), and how it writes a day.
type noticeWords struct{ subject, body, day string }

var noticeTexts = map[string]noticeWords{
	"en": {
		"%s: points that end soon",
		"Hello%s,\n\n%s of your %s (card %s) can be used until %s.\n\n%s\n",
		"2 January 2006",
	},
	"es": {
		"%s: puntos por vencer",
		"Hola%s:\n\n%s de su %s (tarjeta %s) se pueden usar hasta el %s.\n\n%s\n",
		"02/01/2006",
	},
	"pt": {
		"%s: pontos a vencer",
		"Olá%s,\n\n%s do seu %s (cartão %s) podem ser usados até %s.\n\n%s\n",
		"02/01/2006",
	},
	"vi": {
		"%s: điểm sắp hết hạn",
		"Xin chào%s,\n\n%s của %s (thẻ %s) có thể sử dụng đến hết ngày %s.\n\n%s\n",
		"02/01/2006",
	},
}

func noticeMail(c db.Company, row db.ExpiryNoticesRow) Mail {
	words, known := noticeTexts[c.Language]
	if !known {
		words = noticeTexts["en"]
	}
	name := ""
	if row.FirstName != nil && *row.FirstName != "" {
		name = " " + *row.FirstName
	}
	return Mail{
		Kind: NoticeMail, SubjectID: row.CardID, Recipient: *row.Email, Subject: fmt.Sprintf(words.subject, c.Name),
		Body: fmt.Sprintf(words.body, name, noticeAmount(row.Amount), row.CardTypeName, row.Code, row.ExpiresOn.Format(words.day), c.Name),
	}
}

func noticeAmount(amount decimal.Decimal) string { return amount.Trim(0).String() }

// maxNoticesOf bounds the notices that are read of one card.
const maxNoticesOf = 100

// NoticesOf reads what was told of a card, the latest days first, and with it those
// of its batch; at most 100 of a card.
func (s *Service) NoticesOf(ctx context.Context, company uuid.UUID, c *Card) ([]*Notice, error) {
	return loyalty.Together(c.batch, c, "notices", func(all []*Card) (map[*Card][]*Notice, error) {
		return loyalty.Lookup(all, func(c *Card) (uuid.UUID, bool) { return c.ID, true },
			func(ids []uuid.UUID) (map[uuid.UUID][]*Notice, error) {
				rows, err := s.DB.ExpiryNoticesByCards(ctx, db.ExpiryNoticesByCardsParams{CompanyID: company, CardIds: ids, BatchSize: maxNoticesOf})
				if err != nil {
					return nil, fmt.Errorf("list cards' notices: %w", err)
				}
				found := make(map[uuid.UUID][]*Notice, len(ids))
				for _, row := range rows {
					found[row.CardID] = append(found[row.CardID], &Notice{ExpiryNotice: row})
				}
				return found, nil
			})
	})
}
