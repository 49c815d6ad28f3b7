package ledger

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// Bounds of the writer. Two batches at a time keep a small database busy: while one
// commits, the next is reckoned. A slot that waits for somebody's lock is given on
// after slotPatience, so that a card that is stuck delays nobody else.
const (
	maxBatches   = 2
	maxBatch     = 128
	slotPatience = 25 * time.Millisecond
	batchTimeout = 15 * time.Second
)

// writer writes postings that wait together in one transaction. It has no timer:
// whoever comes while nobody waits is posted at once, and what comes while a batch
// is being written is the next one. One batch is of one company. A card is in one
// batch at a time, so batches of this process never wait for each other.
type writer struct {
	mu      sync.Mutex
	waiting map[uuid.UUID][]*ask
	// turns are the companies that wait, in the order of their turns.
	turns []uuid.UUID
	busy  map[place]bool
	slots int
}

// ask is a posting that waits, and where its outcome is awaited.
type ask struct {
	ctx     context.Context
	who     auth.Principal
	posting Posting
	params  db.CardPostParams
	done    chan outcome
}

type outcome struct {
	posted Posted
	err    error
}

// place is the card that a posting names.
type place struct {
	company uuid.UUID
	card    CardRef
}

func (a *ask) place() place { return place{a.who.CompanyID, a.posting.Card} }

// submit posts now or with the next batch, and waits for the outcome. A caller that
// goes away before may have been posted, as with any request that is cut off.
func (w *writer) submit(ctx context.Context, s *Service, a *ask) (Posted, error) {
	w.mu.Lock()
	company := a.who.CompanyID
	if w.waiting == nil {
		w.waiting, w.busy = map[uuid.UUID][]*ask{}, map[place]bool{}
	}
	if len(w.waiting[company]) == 0 {
		w.turns = append(w.turns, company)
	}
	w.waiting[company] = append(w.waiting[company], a)
	w.start(s)
	w.mu.Unlock()
	select {
	case out := <-a.done:
		return out.posted, out.err
	case <-ctx.Done():
		return Posted{}, fmt.Errorf("wait for a posting: %w", ctx.Err())
	}
}

// start lets batches begin while there are slots and postings for them. Callers
// hold mu.
func (w *writer) start(s *Service) {
	for w.slots < maxBatches {
		batch := w.next()
		if len(batch) == 0 {
			return
		}
		w.slots++
		go w.run(s, batch)
	}
}

// next takes the postings of one company whose cards are in no batch.
func (w *writer) next() []*ask {
	for i, company := range w.turns {
		var batch, left []*ask
		mine := map[place]bool{}
		for _, a := range w.waiting[company] {
			if at := a.place(); len(batch) == maxBatch || w.busy[at] && !mine[at] {
				left = append(left, a)
			} else {
				mine[at], w.busy[at] = true, true
				batch = append(batch, a)
			}
		}
		if len(batch) == 0 {
			continue
		}
		w.turns = append(w.turns[:i:i], w.turns[i+1:]...)
		if len(left) > 0 {
			w.waiting[company] = left
			w.turns = append(w.turns, company)
		} else {
			delete(w.waiting, company)
		}
		return batch
	}
	return nil
}

// run writes a batch and gives its slot and its cards back.
func (w *writer) run(s *Service, batch []*ask) {
	release := sync.OnceFunc(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.slots--
		w.start(s)
	})
	patience := time.AfterFunc(slotPatience, release)
	later := s.writeBatch(batch)
	// What others have locked is waited for one by one, its card still ours.
	apart := map[*ask]bool{}
	for _, a := range later {
		apart[a] = true
	}
	w.free(s, batch, func(a *ask) bool { return !apart[a] })
	patience.Stop()
	release()
	if len(later) > 0 {
		// A card that stays locked delays its own postings, and no other card's.
		byPlace := map[place][]*ask{}
		for _, a := range later {
			byPlace[a.place()] = append(byPlace[a.place()], a)
		}
		for _, asks := range byPlace {
			go func() {
				for _, a := range asks {
					a.done <- s.postAlone(a)
				}
				w.free(s, asks, func(*ask) bool { return true })
			}()
		}
	}
}

// free gives back the cards of postings that are done; those of the others stay.
func (w *writer) free(s *Service, asks []*ask, done func(*ask) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range asks {
		if done(a) {
			delete(w.busy, a.place())
		}
	}
	for _, a := range asks {
		if !done(a) {
			w.busy[a.place()] = true
		}
	}
	w.start(s)
}

// writeBatch posts a batch and answers each posting but those whose card somebody
// else has locked, which it returns. Whatever goes wrong with the batch as a whole
// may be one posting's doing: then each is posted alone.
func (s *Service) writeBatch(batch []*ask) (later []*ask) {
	asks := batch[:0:0]
	for _, a := range batch {
		if err := a.ctx.Err(); err != nil {
			a.done <- outcome{err: fmt.Errorf("wait for a posting: %w", err)}
			continue
		}
		asks = append(asks, a)
	}
	if len(asks) == 0 {
		return nil
	}
	if len(asks) == 1 {
		asks[0].done <- s.postAlone(asks[0])
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(asks[0].ctx), batchTimeout)
	defer cancel()
	outcomes, err := s.postTogether(ctx, asks, true)
	if err != nil {
		return asks
	}
	for i, a := range asks {
		if outcomes[i] == nil {
			later = append(later, a)
			continue
		}
		a.done <- *outcomes[i]
	}
	return later
}

// postAlone posts one: in one statement where that is enough, else through a book.
func (s *Service) postAlone(a *ask) outcome {
	// Between a statement that did nothing and the book, the world may have moved
	// on; so it may between two requests with the same key.
	for range 5 {
		if a.plain() {
			row, err := s.DB.CardPost(a.ctx, a.params)
			switch {
			case err == nil:
				return outcome{posted: Posted{Movement: &Movement{Movement: row}}}
			case errors.Is(err, pgx.ErrNoRows), db.Violates(err, "idempotency_key_pkey"), db.OutOfRange(err), db.Violates(err, "card_available_check"):
			default:
				return outcome{err: lockedOut(a, fmt.Errorf("post on a card: %w", err))}
			}
		}
		outcomes, err := s.postTogether(a.ctx, []*ask{a}, false)
		if err == nil {
			return *outcomes[0]
		}
		if !db.Violates(err, "idempotency_key_pkey") {
			return outcome{err: lockedOut(a, err)}
		}
	}
	return outcome{err: errors.New("post on a card: its key is taken and free in turns")}
}

// plain reports whether the one statement may do: it knows nothing of lines, lots
// and CVVs.
func (a *ask) plain() bool {
	return len(a.posting.Lines) == 0 && a.posting.Lot == LotTerms{}
}

// lockedOut tells a card that stayed locked: whoever has it may be the first request
// with the key, and only the same key again tells, safely either way.
func lockedOut(a *ask, err error) error {
	if db.LockTimedOut(err) && a.posting.Key != nil {
		return loyalty.Refuse(loyalty.CodeIdempotencyInProgress, "idempotencyKey")
	}
	return err
}

// postTogether posts in one transaction, each after the one before, and answers each
// on its own: a refusal of one is none of the others'. With skip it waits for no
// card; the outcome of one that somebody else has is nil.
func (s *Service) postTogether(ctx context.Context, asks []*ask, skip bool) (outcomes []*outcome, err error) {
	// It runs on the writer's goroutines, where a panic would end the process instead
	// of one request.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("post together: panic: %v\n%s", p, debug.Stack())
		}
	}()
	who := asks[0].who
	err = s.DB.InPlannedTx(ctx, func(tx db.Tx) error {
		outcomes = make([]*outcome, len(asks))
		found, err := tx.PostingsRead(ctx, postingsRead(asks))
		if err != nil {
			return fmt.Errorf("read what postings name: %w", err)
		}
		ids := make([]uuid.UUID, 0, len(found))
		seen := make(map[uuid.UUID]bool, len(found))
		for _, row := range found {
			if id := cardOf(row); id != nil && !seen[*id] {
				seen[*id] = true
				ids = append(ids, *id)
			}
		}
		b, err := s.open(ctx, tx.Queries, who, ids, skip)
		if err != nil {
			return err
		}
		keys := map[uuid.UUID]written{}
		terms := s.tally(tx, b)
		for i, a := range asks {
			row := found[i]
			var account *Account
			if id := cardOf(row); id != nil {
				if account = b.Account(*id); account == nil && skip {
					continue
				}
			}
			posted, err := s.postIn(ctx, tx, terms, a, row, account, keys)
			if refusal, fault := counted(ctx, tx.Queries, err); fault == nil {
				err = refusal
			} else {
				err = fault
			}
			if err != nil && loyalty.CodeOf(err) == "" {
				return err
			}
			outcomes[i] = &outcome{posted: posted, err: err}
		}
		if err := b.write(ctx); err != nil {
			return err
		}
		return terms.Write(ctx)
	})
	return outcomes, err
}

// cardOf is the card that a posting names; nil if there is none.
func cardOf(found db.PostingsReadRow) *uuid.UUID {
	if found.CodeCardID != nil {
		return found.CodeCardID
	}
	return found.PhoneCardID
}

// postIn posts one of a batch. keys are those used in the batch so far.
func (s *Service) postIn(ctx context.Context, tx db.Tx, terms Tally, a *ask, found db.PostingsReadRow, account *Account, keys map[uuid.UUID]written) (Posted, error) {
	key := a.posting.Key
	if key != nil {
		if first, ok := keys[key.ID]; ok {
			if first.key.Fingerprint != key.Fingerprint {
				return Posted{}, loyalty.Refuse(loyalty.CodeIdempotencyMismatch, "idempotencyKey")
			}
			return Posted{Movement: first.movement, Replayed: true}, nil
		}
		first, err := s.replay(ctx, tx.Queries, a.who.CompanyID, key, found.Fingerprint, found.KeyCardID, found.KeySeq, found.KeyExpiresAt)
		if err != nil || first != nil {
			return Posted{Movement: first, Replayed: first != nil}, err
		}
	}
	err := s.judge(a, found, account)
	var m *Movement
	if err == nil {
		m, err = s.enter(ctx, tx, terms, account, a, found)
	}
	if err != nil {
		// The first request with the key may have been what the card was waited for,
		// and why this one is refused now.
		if first, again := s.late(ctx, tx.Queries, a.who.CompanyID, key, err); first != nil {
			return Posted{Movement: first, Replayed: true}, again
		}
		return Posted{}, err
	}
	if key != nil {
		keys[key.ID] = written{movement: m, key: key}
	}
	return Posted{Movement: m}, nil
}

// enter makes the entry of a posting that no rule forbids, and the terms allow.
func (s *Service) enter(ctx context.Context, tx db.Tx, terms Tally, account *Account, a *ask, found db.PostingsReadRow) (*Movement, error) {
	p := a.posting
	if p.Lot != (LotTerms{}) && !account.Type.TracksLots {
		return nil, loyalty.Refuse(loyalty.CodeLotsNotKept, "lot")
	}
	amount, rate, err := reckon(p, account.Type)
	if err != nil {
		return nil, err
	}
	lines, err := partLines(p.Lines, amount, account.Type)
	if err != nil {
		return nil, err
	}
	if p.Lot.ExpiresOn != nil && p.Lot.ExpiresOn.Before(account.Today()) {
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "lot")
	}
	e := Entry{
		ActorID: a.params.ActorID, Action: p.Action, Amount: amount, Spent: p.Spent, Rate: rate, Source: p.Source, Reference: valueOr(a.params.Reference),
		Description: valueOr(a.params.Description), StoreID: found.StoreID, StaffID: found.StaffID, At: a.params.PostedAt, Key: p.Key, Lot: p.Lot,
	}
	if e.StoreID == nil {
		e.StoreID = found.StaffStoreID
	}
	vestsOn, pending := account.pending(p)
	pending = pending && amount.IsPos()
	if pending && tooLarge(plus(account.Card.Balance, amount)) {
		return nil, loyalty.Refuse(loyalty.CodeAmountTooLarge, amountField(p))
	}
	if !pending {
		err = account.check(e)
	}
	if err == nil {
		err = terms.Allow(ctx, account, p.Action)
	}
	if err != nil {
		return nil, err
	}
	var m *Movement
	if pending {
		m = account.pend(e, amount, vestsOn)
	} else if m, err = account.Post(e); err != nil {
		return nil, err
	}
	if err := terms.Made(ctx, account, m); err != nil {
		return nil, err
	}
	return m, writeLines(ctx, tx, m, lines)
}

// pending is whether points of a posting have to wait, and until which day.
func (a *Account) pending(p Posting) (vestsOn *time.Time, pending bool) {
	switch {
	case p.Action != Accrue:
		return nil, false
	case p.Lot.VestsOn != nil:
		return p.Lot.VestsOn, p.Lot.VestsOn.After(a.Today())
	case p.Lot.Pending:
		return nil, true
	case a.Type.PendingDays != nil:
		return new(a.Today().AddDate(0, 0, int(*a.Type.PendingDays))), true
	}
	return nil, false
}

func postingsRead(asks []*ask) db.PostingsReadParams {
	p := db.PostingsReadParams{CompanyID: asks[0].who.CompanyID}
	for _, a := range asks {
		p.CardCodes, p.WalletKeys = append(p.CardCodes, valueOr(a.params.CardCode)), append(p.WalletKeys, valueOr(a.params.WalletKey))
		p.Phones, p.StoreCodes = append(p.Phones, valueOr(a.params.Phone)), append(p.StoreCodes, valueOr(a.params.StoreCode))
		p.StaffNumbers, p.WithStaff = append(p.StaffNumbers, valueOr(a.params.StaffNumber)), append(p.WithStaff, a.params.StaffNumber != nil)
		p.KeyIds = append(p.KeyIds, valueOr(a.params.KeyID))
	}
	return p
}
