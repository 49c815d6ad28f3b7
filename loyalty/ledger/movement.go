package ledger

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
)

// Action is what a movement does. It fixes the other side of the entry: the
// programme's own accounts are sums over movements by action.
type Action string

// The actions of a movement.
const (
	// Accrue gives points, mostly for a sale.
	Accrue Action = "accrue"
	// Redeem takes points that the customer uses.
	Redeem Action = "redeem"
	// Adjust corrects a balance, either way.
	Adjust Action = "adjust"
	// Recharge puts value on the card that the customer pays for.
	Recharge Action = "recharge"
	// Expire takes what has ended: breakage. With a positive amount it takes that
	// back for points that a return says were never earned.
	Expire Action = "expire"
	// TransferOut and TransferIn are the halves of a move between two cards.
	TransferOut Action = "transfer_out"
	TransferIn  Action = "transfer_in"
	// Reverse takes back a movement, or a part of it: a return.
	Reverse Action = "reverse"
	// WriteOff takes what a programme gives up: an erased person's balance, a
	// cancelled card's; or gives what a return cannot take back.
	WriteOff Action = "write_off"

	// Reserve keeps a part of the balance (a hold), Release lets go of it; neither moves it.
	Reserve Action = "hold"
	Release Action = "release"
	// Pend notes points that become usable later.
	Pend Action = "pend"
	// Extend moves the ends of lots.
	Extend Action = "extend"

	// What happens to the card itself; the amount is zero.
	Activate Action = "activate"
	Assign   Action = "assign"
	Enable   Action = "enable"
	Disable  Action = "disable"
	Cancel   Action = "cancel"
	Replace  Action = "replace"
)

// Movement is one line of a card's ledger: never changed, never deleted.
type Movement struct {
	db.Movement
	batch *loyalty.Batch[Movement]
}

// GlobalID is the movement's opaque id: a movement is named by card and number.
func (m *Movement) GlobalID() string {
	return loyalty.GlobalID("Movement", m.CardID.String()+"/"+strconv.FormatInt(m.Seq, 10))
}

// ParseMovementKey takes the key of a movement's opaque id apart.
func ParseMovementKey(key string) (card uuid.UUID, seq int64, ok bool) {
	c, n, found := strings.Cut(key, "/")
	card, err := uuid.Parse(c)
	if !found || err != nil {
		return uuid.UUID{}, 0, false
	}
	seq, err = strconv.ParseInt(n, 10, 64)
	return card, seq, err == nil && seq > 0
}

// Kind is what the movement does.
func (m *Movement) Kind() Action { return Action(m.Action) }

func movements(rows []db.Movement) []*Movement {
	all := make([]*Movement, len(rows))
	for i, row := range rows {
		all[i] = &Movement{Movement: row}
	}
	batch := loyalty.NewBatch(all)
	for _, m := range all {
		m.batch = batch
	}
	return all
}

// Movement reads one movement by card and number; nil if there is none.
func (s *Service) Movement(ctx context.Context, company, card uuid.UUID, seq int64) (*Movement, error) {
	row, err := s.DB.MovementByKey(ctx, db.MovementByKeyParams{CompanyID: company, CardID: card, Seq: seq})
	if db.Absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a movement: %w", err)
	}
	return movements([]db.Movement{row})[0], nil
}

// MovementKey names a movement.
type MovementKey struct {
	CardID uuid.UUID
	Seq    int64
}

// MovementsByKeys reads movements by card and number in one statement.
func (s *Service) MovementsByKeys(ctx context.Context, company uuid.UUID, keys []MovementKey) (map[MovementKey]*Movement, error) {
	cards, seqs := make([]uuid.UUID, len(keys)), make([]int64, len(keys))
	for i, k := range keys {
		cards[i], seqs[i] = k.CardID, k.Seq
	}
	rows, err := s.DB.MovementsByKeys(ctx, db.MovementsByKeysParams{CompanyID: company, CardIds: cards, Seqs: seqs})
	if err != nil {
		return nil, fmt.Errorf("read movements: %w", err)
	}
	found := make(map[MovementKey]*Movement, len(rows))
	for _, m := range movements(rows) {
		found[MovementKey{m.CardID, m.Seq}] = m
	}
	return found, nil
}

// MovementsPage is a page of a card's movements and whether older ones follow.
type MovementsPage struct {
	Movements []*Movement
	More      bool
}

// MovementsOf reads a page of a card's movements, newest first, from below a
// number (nil: from the newest), and with it those of its batch.
func (s *Service) MovementsOf(ctx context.Context, company uuid.UUID, c *Card, before *int64, first int) (MovementsPage, error) {
	from := int64(math.MaxInt64)
	if before != nil {
		from = *before
	}
	return loyalty.Together(c.batch, c, fmt.Sprintf("movements %d %d", from, first), func(all []*Card) (map[*Card]MovementsPage, error) {
		return loyalty.Lookup(all, func(c *Card) (uuid.UUID, bool) { return c.ID, true },
			func(ids []uuid.UUID) (map[uuid.UUID]MovementsPage, error) {
				rows, err := s.DB.MovementsByCards(ctx, db.MovementsByCardsParams{
					CompanyID: company, CardIds: ids, BeforeSeq: from, BatchSize: int32(first) + 1,
				})
				if err != nil {
					return nil, fmt.Errorf("list cards' movements: %w", err)
				}
				pages := make(map[uuid.UUID]MovementsPage, len(ids))
				for _, m := range movements(rows) {
					page := pages[m.CardID]
					if len(page.Movements) == first {
						page.More = true
					} else {
						page.Movements = append(page.Movements, m)
					}
					pages[m.CardID] = page
				}
				return pages, nil
			})
	})
}

// CardOf reads the card of a movement, and with it those of its batch.
func (s *Service) CardOf(ctx context.Context, company uuid.UUID, m *Movement) (*Card, error) {
	return loyalty.Together(m.batch, m, "card", func(all []*Movement) (map[*Movement]*Card, error) {
		return loyalty.Lookup(all, func(m *Movement) (uuid.UUID, bool) { return m.CardID, true },
			func(ids []uuid.UUID) (map[uuid.UUID]*Card, error) { return s.CardsByIDs(ctx, company, ids) })
	})
}

// Batch is the list the movement was read with, nil for one read alone.
func (m *Movement) Batch() *loyalty.Batch[Movement] { return m.batch }
