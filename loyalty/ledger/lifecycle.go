package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// operation is what can happen to a card as a whole.
type operation int

const (
	activating operation = iota
	assigning
	unassigning
	enabling
	disabling
	cancelling
	replacing
	resettingCVV
)

// transitions are the states in which an operation finds a card, and those in which
// it leaves it. What is not here is refused with STATE_CONFLICT.
var transitions = map[operation]map[Status]Status{
	activating:   {Inactive: Enabled, Disabled: Enabled},
	assigning:    {Inactive: Inactive, Enabled: Enabled, Disabled: Disabled},
	unassigning:  {Inactive: Inactive, Enabled: Enabled, Disabled: Disabled},
	enabling:     {Disabled: Enabled},
	disabling:    {Enabled: Disabled},
	cancelling:   {Inactive: Cancelled, Enabled: Cancelled, Disabled: Cancelled},
	replacing:    {Enabled: Cancelled, Disabled: Cancelled},
	resettingCVV: {Enabled: Enabled, Disabled: Disabled},
}

// become moves a card on in its life.
func (a *Account) become(op operation, reason *string) error {
	from := Status(a.Card.Status)
	to, ok := transitions[op][from]
	if !ok {
		return loyalty.Refuse(loyalty.CodeStateConflict, "code").With("status", string(from))
	}
	a.altered = true
	if to != from {
		a.Card.Status, a.Card.StatusReason, a.Card.StatusAt = string(to), reason, &a.book.now
	}
	return nil
}

// lifeParams are the cards of which more than the figures has changed.
func (b *Book) lifeParams() db.CardsLifeWriteParams {
	p := db.CardsLifeWriteParams{CompanyID: b.who.CompanyID, Now: b.now}
	for id, a := range b.accounts {
		if !a.altered {
			continue
		}
		c := a.Card
		p.Ids, p.Statuses, p.StatusReasons = append(p.Ids, id), append(p.Statuses, c.Status), append(p.StatusReasons, valueOr(c.StatusReason))
		p.StatusAts, p.CustomerIds = append(p.StatusAts, valueOr(c.StatusAt)), append(p.CustomerIds, valueOr(c.CustomerID))
		p.ValidFroms, p.ValidTos = append(p.ValidFroms, valueOr(c.ValidFrom)), append(p.ValidTos, valueOr(c.ValidTo))
		p.ReplacedByIds, p.RegisteredAts = append(p.ReplacedByIds, valueOr(c.ReplacedByID)), append(p.RegisteredAts, c.RegisteredAt)
		p.Floors = append(p.Floors, c.Floor)
	}
	return p
}

// maxReason bounds what is said about a change of a card.
const maxReason = 255

// CardChange names a card and says why it changes.
type CardChange struct {
	Code           string
	Reason, Source string
	// Key makes it repeatable; nil does it whenever it is called.
	Key *Key
}

// change is why a card changes, checked.
type change struct {
	reason *string
	source string
	key    *Key
}

func (c CardChange) check() (change, error) {
	reason, err := text(c.Reason, "reason", maxReason)
	return change{reason, c.Source, c.Key}, err
}

// entry is the line that a change leaves in the books.
func (c change) entry(action Action) Entry {
	return Entry{Action: action, Source: c.source, Description: valueOr(c.reason)}
}

// Changed is the answer to an operation on a card.
type Changed struct {
	Card *Card
	// CVV is the card's, where one was made: it is told this once.
	CVV string
	// Replaced is the card whose place Card took.
	Replaced *Card
	// Replayed: the key was used before, and this is how the card is now.
	Replayed bool
}

// CardAssign gives a card to a customer. It refuses with CARD_NOT_FOUND,
// STATE_CONFLICT, CUSTOMER_NOT_FOUND, CUSTOMER_MERGED, CUSTOMER_ERASED,
// CARD_HAS_CUSTOMER and ACTIVE_CARD_EXISTS.
func (s *Service) CardAssign(ctx context.Context, who auth.Principal, in CardChange, customer uuid.UUID) (Changed, error) {
	return s.changing(ctx, who, in, &customer, "card_assign", func(_ db.Tx, a *Account, c change) (Changed, error) {
		if err := a.become(assigning, c.reason); err != nil {
			return Changed{}, err
		}
		if err := a.belong(&customer); err != nil {
			return Changed{}, err
		}
		a.remark(c, Assign)
		return Changed{}, a.mayBeEnabled(ctx, "customerId")
	})
}

// CardUnassign takes a card from its customer. It refuses with CARD_NOT_FOUND,
// STATE_CONFLICT (a cancelled card, or nobody's) and CUSTOMER_REQUIRED (an enabled
// card of a nominated type).
func (s *Service) CardUnassign(ctx context.Context, who auth.Principal, in CardChange) (Changed, error) {
	return s.changing(ctx, who, in, nil, "card_unassign", func(_ db.Tx, a *Account, c change) (Changed, error) {
		if err := a.become(unassigning, c.reason); err != nil {
			return Changed{}, err
		}
		if a.Card.CustomerID == nil {
			return Changed{}, loyalty.Refuse(loyalty.CodeStateConflict, "code").With("status", a.Card.Status)
		}
		a.Card.CustomerID = nil
		a.remark(c, Assign)
		return Changed{}, a.mayBeEnabled(ctx, "code")
	})
}

// CardEnable puts a disabled card back to use. It refuses with CARD_NOT_FOUND,
// STATE_CONFLICT, CUSTOMER_REQUIRED and ACTIVE_CARD_EXISTS.
func (s *Service) CardEnable(ctx context.Context, who auth.Principal, in CardChange) (Changed, error) {
	return s.changing(ctx, who, in, nil, "card_enable", func(_ db.Tx, a *Account, c change) (Changed, error) {
		return Changed{}, a.enable(ctx, c)
	})
}

// CardDisable sets a card aside: nothing can be posted on it. It refuses with
// CARD_NOT_FOUND and STATE_CONFLICT.
func (s *Service) CardDisable(ctx context.Context, who auth.Principal, in CardChange) (Changed, error) {
	return s.changing(ctx, who, in, nil, "card_disable", func(_ db.Tx, a *Account, c change) (Changed, error) {
		return Changed{}, a.disable(c)
	})
}

// CardCancel ends a card for good. With writeOff its holds are released and what is
// left is written off in one movement; without, a card with something on it is
// refused. It refuses with CARD_NOT_FOUND, STATE_CONFLICT, HOLD_OPEN and
// BALANCE_LEFT.
func (s *Service) CardCancel(ctx context.Context, who auth.Principal, in CardChange, writeOff bool) (Changed, error) {
	return s.changing(ctx, who, in, nil, "card_cancel", func(_ db.Tx, a *Account, c change) (Changed, error) {
		return Changed{}, a.cancel(ctx, c, writeOff)
	})
}

// CardStatusSet enables or disables a card, whatever it was before. A card in that
// state already stays as it is. It refuses with INVALID (another state than these
// two), CARD_NOT_FOUND, STATE_CONFLICT, CUSTOMER_REQUIRED and ACTIVE_CARD_EXISTS.
func (s *Service) CardStatusSet(ctx context.Context, who auth.Principal, code string, status Status) (*Card, error) {
	if status != Enabled && status != Disabled {
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "status")
	}
	out, err := s.changing(ctx, who, CardChange{Code: code, Source: sourceSystem}, nil, "card_status_set", func(_ db.Tx, a *Account, c change) (Changed, error) {
		switch from := Status(a.Card.Status); {
		case from == status:
			return Changed{}, nil
		case status == Disabled:
			return Changed{}, a.disable(c)
		case from == Inactive:
			return s.activate(ctx, a, activation{change: c})
		default:
			return Changed{}, a.enable(ctx, c)
		}
	})
	if e, ok := errors.AsType[*loyalty.Error](err); ok && e.Code == loyalty.CodeStateConflict {
		err = &loyalty.Error{Code: e.Code, Field: "status", Params: e.Params}
	}
	return out.Card, err
}

// errMoved: the card changed its customer between the look and the lock.
var errMoved = errors.New("the card is another customer's meanwhile")

// changing runs an operation on one card, which becomes a customer's where one is
// named. Customers are locked before cards: what a customer may have is
// decided one by one.
func (s *Service) changing(ctx context.Context, who auth.Principal, in CardChange, customer *uuid.UUID, action string,
	fn func(tx db.Tx, a *Account, c change) (Changed, error),
) (out Changed, err error) {
	c, err := in.check()
	if err != nil {
		return Changed{}, err
	}
	for range 5 {
		err = s.keyed(ctx, who, in.Key, func(tx db.Tx) error {
			first, err := s.used(ctx, tx.Queries, who.CompanyID, in.Key)
			if err != nil {
				return err
			}
			if first != nil {
				out, err = s.changedBefore(ctx, tx.Queries, first)
				return err
			}
			row, err := tx.CardByCode(ctx, who.CompanyID, in.Code)
			if db.Absent(err) {
				return loyalty.Refuse(loyalty.CodeCardNotFound, "code")
			}
			if err != nil {
				return fmt.Errorf("find a card: %w", err)
			}
			if err := lockCustomers(ctx, tx.Queries, who.CompanyID, customer, row.CustomerID); err != nil {
				return err
			}
			b, err := s.open(ctx, tx.Queries, who, []uuid.UUID{row.ID}, false)
			if err != nil {
				return err
			}
			a := b.Account(row.ID)
			if a.Card.HiddenAt != nil || valueOr(a.Card.CustomerID) != valueOr(row.CustomerID) {
				return errMoved
			}
			if out, err = fn(tx, a, c); err != nil {
				return err
			}
			if err := b.write(ctx); err != nil {
				return err
			}
			if out.Card == nil {
				out.Card = &Card{Card: a.Card}
			}
			return s.audit(ctx, tx.Queries, who, action, &Card{Card: a.Card}, c.reason, out.Card)
		})
		if !errors.Is(err, errMoved) {
			break
		}
	}
	if err != nil {
		return Changed{}, err
	}
	return out, nil
}

// audit notes what was done to a card, and which card came of it.
func (s *Service) audit(ctx context.Context, q *db.Queries, who auth.Principal, action string, c *Card, reason *string, result *Card) error {
	detail := map[string]any{"status": c.Status}
	if reason != nil {
		detail["reason"] = *reason
	}
	if c.CustomerID != nil {
		detail["customerId"] = c.CustomerID.String()
	}
	if result != nil && result.ID != c.ID {
		detail["replacedById"] = result.ID.String()
	}
	return auth.Audit(ctx, q, who, s.Now(), action, "card", c.ID, detail)
}

// changedBefore answers a request whose key was used: with the card as it is now.
// Its CVV was told then.
func (s *Service) changedBefore(ctx context.Context, q *db.Queries, first *Movement) (Changed, error) {
	row, err := q.CardByID(ctx, first.CompanyID, first.CardID)
	if db.Absent(err) {
		return Changed{}, loyalty.Refuse(loyalty.CodeCardNotFound, "code")
	}
	if err != nil {
		return Changed{}, fmt.Errorf("read the card of a repeated request: %w", err)
	}
	out := Changed{Card: &Card{Card: row}, Replayed: true}
	if first.Kind() != Replace || row.ReplacedByID == nil {
		return out, nil
	}
	out.Replaced = out.Card
	if row, err = q.CardByID(ctx, first.CompanyID, *row.ReplacedByID); err != nil {
		return Changed{}, fmt.Errorf("read the card that took another's place: %w", err)
	}
	out.Card = &Card{Card: row}
	return out, nil
}

// remark adds the line that a change leaves in the books: its amount is zero.
func (a *Account) remark(c change, action Action) *Movement {
	e := c.entry(action)
	e.Key = c.key
	return a.append(e)
}

// belong gives the card to a customer; nil leaves it whose it is.
func (a *Account) belong(customer *uuid.UUID) error {
	if customer == nil {
		return nil
	}
	if a.Card.CustomerID != nil && *a.Card.CustomerID != *customer {
		return loyalty.Refuse(loyalty.CodeCardHasCustomer, "code")
	}
	a.Card.CustomerID = customer
	return nil
}

// mayBeEnabled holds an enabled card against its type's rules about customers. The
// customer is locked.
func (a *Account) mayBeEnabled(ctx context.Context, field string, except ...uuid.UUID) error {
	if Status(a.Card.Status) != Enabled {
		return nil
	}
	if a.Card.CustomerID == nil {
		if a.Type.Nominated {
			return loyalty.Refuse(loyalty.CodeCustomerRequired, field)
		}
		return nil
	}
	if !a.Type.OneActiveCard {
		return nil
	}
	return oneActive(ctx, a.book.q, a.Card.CompanyID, *a.Card.CustomerID, a.Type.ID, field, append(except, a.Card.ID)...)
}

func (a *Account) enable(ctx context.Context, c change) error {
	if err := a.become(enabling, c.reason); err != nil {
		return err
	}
	a.remark(c, Enable)
	return a.mayBeEnabled(ctx, "code")
}

func (a *Account) disable(c change) error {
	if err := a.become(disabling, c.reason); err != nil {
		return err
	}
	a.remark(c, Disable)
	return nil
}

// cancel ends a card.
func (a *Account) cancel(ctx context.Context, c change, writeOff bool) error {
	if err := a.become(cancelling, c.reason); err != nil {
		return err
	}
	if !writeOff {
		if err := a.empty(); err != nil {
			return err
		}
	} else if err := a.clear(ctx, c); err != nil {
		return err
	}
	m := a.remark(c, Cancel)
	for _, l := range a.lots { // what was still to come does not
		if LotState(l.State) == LotPending {
			a.record(m, piece{l, l.Remaining.Neg()})
		}
	}
	return nil
}

// empty refuses a card that has something on it.
func (a *Account) empty() error {
	if a.Card.Held.IsPos() {
		return loyalty.Refuse(loyalty.CodeHoldOpen, "code")
	}
	left := a.Card.Balance
	for _, l := range a.lots {
		if LotState(l.State) == LotPending {
			left = plus(left, l.Remaining)
		}
	}
	if !left.IsZero() || !a.Card.Balance.IsZero() {
		return loyalty.Refuse(loyalty.CodeBalanceLeft, "code").With("balance", left.Trim(0).String())
	}
	return nil
}

// clear lets go of a card's holds and writes off what is left, a debt too.
func (a *Account) clear(ctx context.Context, c change) error {
	if a.Card.Held.IsPos() {
		holds, err := a.book.q.CardHoldsOpen(ctx, a.Card.CompanyID, a.Card.ID)
		if err != nil {
			return fmt.Errorf("read a card's holds: %w", err)
		}
		for _, h := range holds {
			if h.ExpiresAt.After(a.book.now) { // the others the book has let go of
				if _, err := a.endHold(ctx, h, decimal.Zero, HoldReleased, c.entry(Release)); err != nil {
					return err
				}
			}
		}
	}
	if a.Card.Balance.IsZero() {
		return nil
	}
	e := c.entry(WriteOff)
	e.Amount, e.Overdraw = a.Card.Balance.Neg(), true
	_, err := a.Post(e)
	return err
}
