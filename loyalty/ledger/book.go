package ledger

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// Book is a unit of work over locked cards: their state is read once, the
// arithmetic is done here on exact decimals, and what came of it is written in
// sets. Postings with more to them than the card's row go through a book; a lone
// one on a plain card type is a single statement (CardPost). Cards are locked in
// the order of their ids, so books that cross wait and do not deadlock.
type Book struct {
	q        *db.Queries
	who      auth.Principal
	now      time.Time
	accounts map[uuid.UUID]*Account
	// entries are the movements in the order they were made.
	entries []*written
	pieces  []entryPiece
	ended   []db.HoldEndParams
}

// written is a movement and the key that names it.
type written struct {
	movement *Movement
	key      *Key
}

type entryPiece struct {
	card uuid.UUID
	seq  int64
	piece
}

// Account is a locked card in a book.
type Account struct {
	book *Book
	Card db.Card
	Type db.CardType
	zone *time.Location
	lots lots
	// due are open holds whose time is up.
	due     []db.Hold
	changed bool
	// altered: more than its figures (lifecycle.go).
	altered bool
}

// InBook opens the cards with the ids in a transaction, runs fn on them and writes
// the book. Cards that the company does not have are not in it. What is due on a
// card (holds that timed out, points that vest or end) is posted before fn sees it.
// fn may use tx for statements of its own, may run again, and refuses by its error.
func (s *Service) InBook(ctx context.Context, who auth.Principal, cards []uuid.UUID, fn func(tx db.Tx, b *Book) error) error {
	return s.DB.InPlannedTx(ctx, func(tx db.Tx) error {
		b, err := s.open(ctx, tx.Queries, who, cards, false)
		if err != nil {
			return err
		}
		if err := fn(tx, b); err != nil {
			return err
		}
		return b.write(ctx)
	})
}

// open locks and reads cards. With skip, cards that somebody else has are left out
// instead of waited for.
func (s *Service) open(ctx context.Context, q *db.Queries, who auth.Principal, ids []uuid.UUID, skip bool) (*Book, error) {
	b := &Book{q: q, who: who, now: s.moment(), accounts: make(map[uuid.UUID]*Account, len(ids))}
	var rows []db.CardsLockRow
	var err error
	if skip {
		var free []db.CardsLockFreeRow
		if free, err = q.CardsLockFree(ctx, who.CompanyID, ids); err == nil {
			for _, row := range free {
				rows = append(rows, db.CardsLockRow(row))
			}
		}
	} else {
		rows, err = q.CardsLock(ctx, who.CompanyID, ids)
		// A statement that waited for a card sees the card as it is and its type as it
		// was: where the type's rules have changed meanwhile, it reads both again.
		if err == nil && slices.ContainsFunc(rows, func(row db.CardsLockRow) bool { return row.Card.ExpiryVersion > row.CardType.ExpiryVersion }) {
			rows, err = q.CardsLock(ctx, who.CompanyID, ids)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("lock cards: %w", err)
	}
	var behind, tracking, holding []uuid.UUID
	for _, row := range rows {
		zone, err := loyalty.Zone(row.TimeZone)
		if err != nil {
			return nil, fmt.Errorf("the company's time zone: %w", err)
		}
		a := &Account{book: b, Card: row.Card, Type: row.CardType, zone: zone}
		b.accounts[a.Card.ID] = a
		if a.Card.ExpiryVersion < a.Type.ExpiryVersion {
			behind = append(behind, a.Card.ID)
			a.Card.ExpiryVersion = a.Type.ExpiryVersion
		}
		if a.Type.TracksLots {
			tracking = append(tracking, a.Card.ID)
		}
		if a.Card.Held.IsPos() {
			holding = append(holding, a.Card.ID)
		}
	}
	if len(behind) > 0 {
		if _, err := q.LotsConform(ctx, who.CompanyID, behind); err != nil {
			return nil, fmt.Errorf("bring cards up to their expiry policy: %w", err)
		}
	}
	if len(tracking) > 0 {
		rows, err := q.LotsOfCards(ctx, who.CompanyID, tracking)
		if err != nil {
			return nil, fmt.Errorf("read cards' lots: %w", err)
		}
		for _, row := range rows {
			a := b.accounts[row.CardID]
			a.lots = append(a.lots, &lot{Lot: row})
		}
	}
	if len(holding) > 0 {
		due, err := q.HoldsDue(ctx, db.HoldsDueParams{CompanyID: who.CompanyID, CardIds: holding, Now: b.now})
		if err != nil {
			return nil, fmt.Errorf("read holds that are due: %w", err)
		}
		for _, h := range due {
			a := b.accounts[h.CardID]
			a.due = append(a.due, h)
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(b.accounts), compareIDs) {
		if err := b.accounts[id].settle(ctx); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// moment is the clock as the database keeps it.
func (s *Service) moment() time.Time { return s.Now().UTC().Truncate(time.Microsecond) }

// Account is the locked card with the id; nil if the company has none.
func (b *Book) Account(id uuid.UUID) *Account { return b.accounts[id] }

// Now is the moment of the book, at which all of it is recorded.
func (b *Book) Now() time.Time { return b.now }

// Entry is one line for a card's ledger.
type Entry struct {
	Action Action
	// Amount is the signed change of the balance, Held that of what is held.
	Amount, Held decimal.Decimal
	// Spent is what the customer spent, Rate what points were reckoned with.
	Spent, Rate            *decimal.Decimal
	Source                 string
	Reference, Description string
	StoreID, StaffID       *uuid.UUID
	// ActorID is who asked for it; nil is the book's principal, but nobody for what
	// the platform posts by itself (no source).
	ActorID *uuid.UUID
	// At is the business time; zero is the book's moment.
	At      time.Time
	Related *MovementKey
	Key     *Key
	Lot     LotTerms
	// Overdraw lets a debit pass the floor: a return that leaves a debt.
	Overdraw bool
}

// LotTerms are what an earning says about its own lot; zero fields are the card
// type's rules.
type LotTerms struct {
	// Priority orders spending: smaller numbers first.
	Priority *int16
	// ExpiresOn is the last day on which it can be spent.
	ExpiresOn *time.Time
	// EarnedOn is the day from which the card type's policy counts.
	EarnedOn *time.Time
	// VestsOn is the day from which it can be used; Pending waits until it is said.
	VestsOn *time.Time
	Pending bool
}

// Available is what can be spent now: balance less holds.
func (a *Account) Available() decimal.Decimal { return less(a.Card.Balance, a.Card.Held) }

// Today is the company's business day of the book's moment.
func (a *Account) Today() time.Time { return dayOf(a.book.now, a.zone) }

// Post makes one entry: a credit opens a lot, a debit takes from lots in spending
// order, where the card type keeps them. It refuses with INSUFFICIENT_BALANCE and
// AMOUNT_TOO_LARGE, and then changes nothing.
func (a *Account) Post(e Entry) (*Movement, error) {
	if err := a.check(e); err != nil {
		return nil, err
	}
	before := a.Available()
	m := a.append(e)
	if !a.Type.TracksLots {
		return m, nil
	}
	if e.Amount.IsPos() {
		a.earn(m, 0, e.Amount, less(usable(a.Available()), usable(before)), e.Lot)
	} else {
		a.spend(m, less(usable(before), usable(a.Available())))
	}
	if uses(e.Action) {
		a.use(dayOf(m.PostedAt, a.zone))
	}
	return m, nil
}

// check holds an entry against the balance and the digits that the ledger has.
func (a *Account) check(e Entry) error {
	if tooLarge(e.Amount) || tooLarge(e.Held) {
		return loyalty.Refuse(loyalty.CodeAmountTooLarge, amountFieldOf(e.Action))
	}
	balance := plus(a.Card.Balance, e.Amount)
	if tooLarge(balance) {
		return loyalty.Refuse(loyalty.CodeAmountTooLarge, amountFieldOf(e.Action))
	}
	change := less(e.Amount, e.Held)
	available := plus(a.Available(), change)
	if change.IsNeg() && !e.Overdraw && available.Cmp(a.Card.Floor) < 0 {
		spendable := less(a.Available(), a.Card.Floor)
		return loyalty.Refuse(loyalty.CodeInsufficientBalance, amountFieldOf(e.Action)).With("available", spendable.Trim(0).String())
	}
	return nil
}

// maxAmount bounds amounts and balances: fifteen digits before the point.
var maxAmount = decimal.MustNew(1_000_000_000_000_000, 0)

func tooLarge(d decimal.Decimal) bool { return d.CmpAbs(maxAmount) >= 0 }

// usable is what of an availability lots stand for: a debt has none.
func usable(available decimal.Decimal) decimal.Decimal { return available.Max(decimal.Zero) }

// uses reports whether an action is the customer's own use of the card.
func uses(action Action) bool { return action == Accrue || action == Redeem || action == Recharge }

// append adds a movement to the card's chain. The entry has been checked.
func (a *Account) append(e Entry) *Movement {
	a.Card.Seq++
	a.Card.Balance, a.Card.Held = plus(a.Card.Balance, e.Amount), plus(a.Card.Held, e.Held)
	a.changed = true
	at := e.At
	if at.IsZero() {
		at = a.book.now
	}
	row := db.Movement{
		CompanyID: a.Card.CompanyID, CardID: a.Card.ID, Seq: a.Card.Seq, Action: string(e.Action), Amount: e.Amount,
		BalanceAfter: a.Card.Balance, PostedAt: at.UTC().Truncate(time.Microsecond), RecordedAt: a.book.now, Spent: e.Spent, Rate: e.Rate,
		Source: e.Source, Reference: orNil(e.Reference), Description: orNil(e.Description), StoreID: e.StoreID, StaffID: e.StaffID,
	}
	switch {
	case e.ActorID != nil:
		row.ActorID = e.ActorID
	case e.Source == "":
		row.Source = sourceSystem
	case a.book.who.Subject != uuid.Nil:
		row.ActorID = &a.book.who.Subject
	}
	if !e.Held.IsZero() {
		row.Held = &e.Held
	}
	if e.Related != nil {
		row.RelatedCardID, row.RelatedSeq = &e.Related.CardID, &e.Related.Seq
	}
	m := &Movement{Movement: row}
	a.book.entries = append(a.book.entries, &written{movement: m, key: e.Key})
	return m
}

// sourceSystem is the source of what the platform itself posts.
const sourceSystem = "system"

func orNil(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// earn opens a lot for a credit; less is left of it where a part pays a debt.
func (a *Account) earn(m *Movement, part int16, amount, remaining decimal.Decimal, terms LotTerms) *lot {
	l := &lot{made: true, Lot: db.Lot{
		CompanyID: m.CompanyID, CardID: m.CardID, Seq: m.Seq, Part: part, State: string(LotOpen), Amount: amount, Remaining: amount,
		EarnedOn: dayOf(m.PostedAt, a.zone), Priority: DefaultPriority, ExpiresOn: terms.ExpiresOn,
	}}
	if terms.EarnedOn != nil {
		l.EarnedOn = *terms.EarnedOn
	}
	if terms.Priority != nil {
		l.Priority = *terms.Priority
	}
	if l.ExpiresOn == nil {
		l.ExpiresOn = expiryOf(a.Type).End(l.EarnedOn, dayOf(a.Card.RegisteredAt, a.zone))
	}
	a.lots = append(a.lots, l)
	if paid := less(amount, remaining); paid.IsPos() {
		a.record(m, piece{l, paid.Neg()})
	}
	return l
}

// spend takes from the lots in spending order.
func (a *Account) spend(m *Movement, amount decimal.Decimal) {
	taken, _ := a.lots.take(amount, func(*lot) bool { return true })
	a.note(m, taken)
}

// record moves a piece of a lot and notes it.
func (a *Account) record(m *Movement, p piece) {
	p.lot.move(p.amount)
	a.note(m, []piece{p})
}

// note writes down what a movement did to lots: one entry a lot.
func (a *Account) note(m *Movement, pieces []piece) {
	for _, p := range pieces {
		same := slices.IndexFunc(a.book.pieces, func(e entryPiece) bool {
			return e.card == m.CardID && e.seq == m.Seq && e.lot == p.lot
		})
		if same >= 0 {
			a.book.pieces[same].amount = plus(a.book.pieces[same].amount, p.amount)
			continue
		}
		a.book.pieces = append(a.book.pieces, entryPiece{card: m.CardID, seq: m.Seq, piece: p})
	}
}

// write writes what the book has done since it was last written: after it, another
// read of the cards shows it.
func (b *Book) write(ctx context.Context) error {
	life := b.lifeParams()
	if len(b.entries) == 0 && len(b.ended) == 0 && len(life.Ids) == 0 && !b.lotsChanged() {
		return nil
	}
	if len(life.Ids) > 0 {
		if err := b.q.CardsLifeWrite(ctx, life); err != nil {
			return fmt.Errorf("write a book's cards: %w", err)
		}
	}
	if len(b.entries) > 0 {
		if err := b.q.BookWrite(ctx, b.params()); err != nil {
			return fmt.Errorf("write a book: %w", err)
		}
	}
	if b.lotsChanged() || len(b.pieces) > 0 {
		if err := b.q.LotsWrite(ctx, b.lotParams()); err != nil {
			return fmt.Errorf("write a book's lots: %w", err)
		}
	}
	for _, end := range b.ended {
		if _, err := b.q.HoldEnd(ctx, end); err != nil {
			return fmt.Errorf("end a hold: %w", err)
		}
	}
	b.entries, b.pieces, b.ended = nil, nil, nil
	for _, a := range b.accounts {
		a.changed, a.altered = false, false
		for _, l := range a.lots {
			l.made, l.changed = false, false
		}
	}
	return nil
}

func (b *Book) lotsChanged() bool {
	for _, a := range b.accounts {
		if slices.ContainsFunc(a.lots, func(l *lot) bool { return l.made || l.changed }) {
			return true
		}
	}
	return false
}

func (b *Book) params() db.BookWriteParams {
	p := db.BookWriteParams{CompanyID: b.who.CompanyID, Now: b.now}
	for id, a := range b.accounts {
		if a.changed {
			p.CardIds, p.Seqs = append(p.CardIds, id), append(p.Seqs, a.Card.Seq)
			p.Balances, p.Helds = append(p.Balances, a.Card.Balance), append(p.Helds, a.Card.Held)
			p.Debts = append(p.Debts, usable(less(a.Card.Floor, a.Available())))
		}
	}
	for _, w := range b.entries {
		m := w.movement
		p.MovementCardIds, p.MovementSeqs = append(p.MovementCardIds, m.CardID), append(p.MovementSeqs, m.Seq)
		p.Actions, p.Amounts = append(p.Actions, m.Action), append(p.Amounts, m.Amount)
		p.BalancesAfter, p.PostedAts = append(p.BalancesAfter, m.BalanceAfter), append(p.PostedAts, m.PostedAt)
		p.Spents, p.Rates = append(p.Spents, decimalOr(m.Spent)), append(p.Rates, decimalOr(m.Rate))
		p.MovementHelds, p.Sources = append(p.MovementHelds, decimalOr(m.Held)), append(p.Sources, m.Source)
		p.Refs, p.Descriptions = append(p.Refs, valueOr(m.Reference)), append(p.Descriptions, valueOr(m.Description))
		p.StoreIds, p.StaffIds = append(p.StoreIds, valueOr(m.StoreID)), append(p.StaffIds, valueOr(m.StaffID))
		p.ActorIds, p.RelatedCardIds = append(p.ActorIds, valueOr(m.ActorID)), append(p.RelatedCardIds, valueOr(m.RelatedCardID))
		p.RelatedSeqs = append(p.RelatedSeqs, valueOr(m.RelatedSeq))
		key := Key{}
		if w.key != nil {
			key = *w.key
		}
		p.KeyIds, p.Fingerprints = append(p.KeyIds, key.ID), append(p.Fingerprints, key.Fingerprint)
		p.KeyExpiresAts = append(p.KeyExpiresAts, b.now.Add(cmp.Or(key.Lifetime, keyLifetime)))
	}
	return p
}

func (b *Book) lotParams() db.LotsWriteParams {
	p := db.LotsWriteParams{CompanyID: b.who.CompanyID}
	for id, a := range b.accounts {
		for _, l := range a.lots {
			switch {
			case l.made:
				p.NewCardIds, p.NewSeqs, p.NewParts = append(p.NewCardIds, id), append(p.NewSeqs, l.Seq), append(p.NewParts, l.Part)
				p.NewStates, p.NewAmounts = append(p.NewStates, l.State), append(p.NewAmounts, l.Amount)
				p.NewRemainings, p.NewEarnedOns = append(p.NewRemainings, l.Remaining), append(p.NewEarnedOns, l.EarnedOn)
				p.NewExpiresOns, p.NewVestsOns = append(p.NewExpiresOns, valueOr(l.ExpiresOn)), append(p.NewVestsOns, valueOr(l.VestsOn))
				p.NewPriorities = append(p.NewPriorities, l.Priority)
			case l.changed:
				p.CardIds, p.Seqs, p.Parts = append(p.CardIds, id), append(p.Seqs, l.Seq), append(p.Parts, l.Part)
				p.States, p.Remainings = append(p.States, l.State), append(p.Remainings, l.Remaining)
				p.ExpiresOns, p.VestsOns = append(p.ExpiresOns, valueOr(l.ExpiresOn)), append(p.VestsOns, valueOr(l.VestsOn))
			}
		}
	}
	for _, e := range b.pieces {
		if e.amount.IsZero() { // taken and given back within one movement
			continue
		}
		p.EntryCardIds, p.EntrySeqs = append(p.EntryCardIds, e.card), append(p.EntrySeqs, e.seq)
		p.EntryLotSeqs, p.EntryLotParts = append(p.EntryLotSeqs, e.lot.Seq), append(p.EntryLotParts, e.lot.Part)
		p.EntryAmounts = append(p.EntryAmounts, e.amount)
	}
	return p
}

// decimalOr writes an amount for a statement that takes texts; "" is none.
func decimalOr(d *decimal.Decimal) string {
	if d == nil {
		return ""
	}
	return d.String()
}

func valueOr[T any](p *T) T {
	if p == nil {
		return *new(T)
	}
	return *p
}

func compareIDs(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }
