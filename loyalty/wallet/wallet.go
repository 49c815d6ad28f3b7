// Package wallet puts a company's plan, its rules for phones and its messages
// together for wallets (spec/wallet.md 4 to 6): what a posting on a contact, or a new
// contact, may cost and has to pay, and whom it tells. The ledger and the customers
// ask it in their own transactions, so that a movement, its quota, its price and its
// message are there together or not at all.
package wallet

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/ledger"
	"sello/loyalty/notify"
	"sello/loyalty/phone"
	"sello/loyalty/plan"
	"sello/loyalty/wording"
)

// Service is the terms of wallets, of the ledger's postings and of the customers'
// registrations.
type Service struct {
	Plans    *plan.Service
	Phones   *phone.Service
	Messages *wording.Service
	Notify   *notify.Service
	// Secret keys the personal tokens in links.
	Secret []byte
}

// CheckPhone holds a phone against area codes and number ranges.
func (s *Service) CheckPhone(ctx context.Context, tx db.Tx, company db.Company, number string) error {
	return s.Phones.Check(ctx, tx.Queries, company, number)
}

// CheckRoom looks, without a lock, whether the plan has room for a contact and pays
// for the welcome: in most cases this is the last word, and Registered's the one that
// counts.
func (s *Service) CheckRoom(ctx context.Context, tx db.Tx, company db.Company, wallet db.CardType, number string) error {
	account, err := s.Plans.Glance(ctx, tx, company.ID)
	if err != nil || account == nil {
		return err
	}
	if err := account.MayRegister(ctx, 0); err != nil {
		return err
	}
	welcomed, err := s.welcomed(ctx, tx, company.ID, wallet, number)
	if err != nil || !welcomed {
		return err
	}
	return account.MayCharge()
}

// welcomed: a blocked phone becomes a contact that is told and charged nothing.
func (s *Service) welcomed(ctx context.Context, tx db.Tx, company uuid.UUID, wallet db.CardType, number string) (bool, error) {
	if !wallet.NotifyWelcome {
		return false, nil
	}
	blocked, err := s.Phones.BlockedAmong(ctx, tx.Queries, company, []string{number})
	return !blocked[number], err
}

// Registered counts a new contact against the plan, and charges and queues its
// welcome.
func (s *Service) Registered(ctx context.Context, tx db.Tx, company db.Company, wallet db.CardType, card *ledger.Card) error {
	account, err := s.Plans.Open(ctx, tx, company.ID)
	if err != nil || account == nil {
		return err
	}
	if err := account.MayRegister(ctx, 1); err != nil { // the new one is among those counted
		return err
	}
	welcomed, err := s.welcomed(ctx, tx, company.ID, wallet, *card.HolderPhone)
	if err != nil || !welcomed || !account.Sends() {
		return err
	}
	told, err := s.tell(ctx, tx, account, nil, notice{
		kind: wording.Welcome, card: card.Card, wallet: wallet, seq: card.Seq, balance: figure(card.Balance), points: "0",
	})
	if err != nil {
		return err
	}
	if err := account.Write(ctx); err != nil {
		return err
	}
	return s.Notify.QueueTexts(ctx, tx, company.ID, []notify.Text{told})
}

// notice is what a message tells of.
type notice struct {
	kind            wording.Kind
	card            db.Card
	wallet          db.CardType
	seq             int64
	balance, points string
}

// tell charges for a message and words it. texts are the company's, if they are read.
func (s *Service) tell(ctx context.Context, tx db.Tx, account *plan.Account, texts wording.Texts, n notice) (notify.Text, error) {
	company := account.Company()
	id, err := uuid.NewV7()
	if err != nil {
		return notify.Text{}, fmt.Errorf("make an id: %w", err)
	}
	price, err := account.Charge(id)
	if err != nil {
		return notify.Text{}, err
	}
	if texts == nil {
		if texts, err = s.Messages.TextsIn(ctx, tx.Queries, company.ID, company.Language); err != nil {
			return notify.Text{}, err
		}
	}
	name := ""
	if n.card.HolderName != nil {
		name = *n.card.HolderName
	}
	return notify.Text{
		ID: id, Channel: notify.Channel(n.wallet.MessageChannel), Kind: string(n.kind), To: company.PhonePrefix + *n.card.HolderPhone,
		CardID: n.card.ID, Seq: n.seq, Price: price,
		Body: wording.Render(texts[n.kind], wording.Facts{
			Name: name, Wallet: n.wallet.Name, Link: s.Link(n.wallet, n.card.ID), Balance: n.balance, Points: n.points,
		}),
	}, nil
}

// Open begins with the postings of a transaction.
func (s *Service) Open(tx db.Tx, who auth.Principal, phones []string) ledger.Tally {
	return &tally{s: s, tx: tx, company: who.CompanyID, phones: phones}
}

// tally holds postings of one transaction against the plan. What they need is read
// when the first of them needs it, the plan's lock last.
type tally struct {
	s       *Service
	tx      db.Tx
	company uuid.UUID
	phones  []string
	blocked map[string]bool
	account *plan.Account
	opened  bool
	texts   wording.Texts
	told    []notify.Text
}

// kindOf is what a posting tells of, and whether the wallet tells it.
func kindOf(t db.CardType, action ledger.Action) (wording.Kind, bool) {
	switch action {
	case ledger.Accrue, ledger.Redeem:
		return wording.Sale, t.NotifySale
	case ledger.Adjust, ledger.Recharge:
		return wording.Adjustment, t.NotifyAdjustment
	}
	return "", false
}

// Allow refuses, in this order, with MESSAGE_BALANCE_LOW, PHONE_BLOCKED and
// REDEMPTION_QUOTA_REACHED.
func (t *tally) Allow(ctx context.Context, a *ledger.Account, action ledger.Action) error {
	if !a.Contact() {
		return nil
	}
	_, tells := kindOf(a.Type, action)
	redeems := action == ledger.Redeem
	if err := t.read(ctx, tells || redeems); err != nil {
		return err
	}
	if tells && t.account != nil && t.account.Sends() {
		if err := t.account.MayCharge(); err != nil {
			return err
		}
	}
	if t.blocked[*a.Card.HolderPhone] {
		return loyalty.Refuse(loyalty.CodePhoneBlocked, "card")
	}
	if redeems && t.account != nil {
		return t.account.MayRedeem()
	}
	return nil
}

func (t *tally) read(ctx context.Context, account bool) (err error) {
	if t.blocked == nil {
		if t.blocked, err = t.s.Phones.BlockedAmong(ctx, t.tx.Queries, t.company, t.phones); err != nil {
			return err
		}
	}
	if account && !t.opened {
		t.account, err = t.s.Plans.Open(ctx, t.tx, t.company)
		t.opened = err == nil
	}
	return err
}

// Made takes the redemption and the message of a posting.
func (t *tally) Made(ctx context.Context, a *ledger.Account, m *ledger.Movement) error {
	if !a.Contact() || t.account == nil {
		return nil
	}
	action := m.Kind()
	if action == ledger.Pend { // points that have to wait are a sale all the same
		action = ledger.Accrue
	}
	if action == ledger.Redeem {
		t.account.Redeem()
	}
	kind, tells := kindOf(a.Type, action)
	if !tells || !t.account.Sends() {
		return nil
	}
	if t.texts == nil {
		company := t.account.Company()
		var err error
		if t.texts, err = t.s.Messages.TextsIn(ctx, t.tx.Queries, t.company, company.Language); err != nil {
			return err
		}
	}
	told, err := t.s.tell(ctx, t.tx, t.account, t.texts, notice{
		kind: kind, card: a.Card, wallet: a.Type, seq: m.Seq, balance: figure(m.BalanceAfter), points: figure(m.Amount),
	})
	if err != nil {
		return err
	}
	t.told = append(t.told, told)
	return nil
}

// Write writes what was taken from the plan, and queues what is told.
func (t *tally) Write(ctx context.Context) error {
	if t.account == nil {
		return nil
	}
	if err := t.account.Write(ctx); err != nil {
		return err
	}
	return t.s.Notify.QueueTexts(ctx, t.tx, t.company, t.told)
}
