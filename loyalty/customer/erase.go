package customer

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// EraseMode says how much of a person is erased.
type EraseMode string

// The modes (spec/promo-6 section 1: D and R).
const (
	// ErasePartial takes the personal data; the customer stays, inactive, with code,
	// cards and balances.
	ErasePartial EraseMode = "partial"
	// EraseTotal takes the customer and what they own as well.
	EraseTotal EraseMode = "total"
)

// erasedText stands for a text that was erased.
const erasedText = "-"

// Erase takes a person's data out of everything that holds it, for ever: what is
// theirs now in one transaction, and what stands about them in imported files by
// the job that it leaves (TraceErase). Those merged into the customer go with them.
//
// In part (spec/promo-6 section 1, D): texts become "-", or null where that cannot
// be; dates, attributes and segments go; the customer is inactive and still found by
// code; cards, coupons, claims and balances stay, without their holder and without
// what somebody wrote into a claim.
//
// In total (R): the customer is hidden; every card is cancelled and hidden, its code
// free again, its balance written off by one movement; coupons are void. Nothing of
// it is found afterwards. The books stay whole: movements are never changed, so what
// somebody wrote into a posting's description stays there.
//
// The audit entry names the customer by id alone: while the code is kept, it leads
// to it. It refuses with CUSTOMER_NOT_FOUND, CUSTOMER_MERGED and INVALID (mode);
// answers nil for a customer who is gone.
func (s *Service) Erase(ctx context.Context, who auth.Principal, id uuid.UUID, mode EraseMode) (*Customer, error) {
	if mode != ErasePartial && mode != EraseTotal {
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "mode")
	}
	if err := s.complete(); err != nil {
		return nil, err
	}
	var left *Customer
	err := s.DB.InTx(ctx, func(tx db.Tx) error {
		left = nil
		if err := tx.ImportCompanyLock(ctx, who.CompanyID); err != nil {
			return fmt.Errorf("wait for the company's imports: %w", err)
		}
		people, err := s.lockPeople(ctx, tx.Queries, who.CompanyID, id)
		if err != nil {
			return err
		}
		if err := s.erase(ctx, tx, who, people, mode); err != nil {
			return err
		}
		if mode == ErasePartial {
			row, err := tx.CustomerByID(ctx, who.CompanyID, id)
			if err != nil {
				return fmt.Errorf("read a customer: %w", err)
			}
			left = &Customer{Customer: row}
		}
		return nil
	})
	if err != nil && loyalty.CodeOf(err) == "" {
		return nil, fmt.Errorf("erase a customer: %w", err)
	}
	return left, err
}

// lockPeople locks a customer, first of the list, and those merged into them.
func (s *Service) lockPeople(ctx context.Context, q *db.Queries, company, id uuid.UUID) ([]db.Customer, error) {
	one, err := lock(ctx, q, company, id, "id")
	if err != nil {
		return nil, err
	}
	// Whoever merges somebody into the customer has to have locked the customer.
	merged, err := q.CustomersMergedInto(ctx, company, id)
	if err != nil {
		return nil, fmt.Errorf("read merged customers: %w", err)
	}
	return append([]db.Customer{one}, merged...), nil
}

func (s *Service) erase(ctx context.Context, tx db.Tx, who auth.Principal, people []db.Customer, mode EraseMode) error {
	id, total := people[0].ID, mode == EraseTotal
	ids := make([]uuid.UUID, len(people))
	for i, c := range people {
		ids[i] = c.ID
	}
	cards, err := tx.CardIDsOfCustomers(ctx, who.CompanyID, ids)
	if err != nil {
		return fmt.Errorf("read a customer's cards: %w", err)
	}
	if err := s.eraseCards(ctx, tx, who, ids, total); err != nil {
		return err
	}
	if total {
		if err := s.Coupons.VoidOfCustomer(ctx, tx, who, id); err != nil {
			return err
		}
	}
	if err := tx.SegmentsLeave(ctx, who.CompanyID, ids); err != nil {
		return fmt.Errorf("take a customer out of segments: %w", err)
	}
	if err := tx.CustomerAttributeValuesDelete(ctx, who.CompanyID, ids); err != nil {
		return fmt.Errorf("take a customer out of the index: %w", err)
	}
	err = tx.NotificationsErase(ctx, db.NotificationsEraseParams{
		CompanyID: who.CompanyID, Recipients: recipients(people), SubjectIds: slices.Concat(ids, cards),
	})
	if err != nil {
		return fmt.Errorf("erase messages: %w", err)
	}
	err = tx.RewardClaimsErase(ctx, db.RewardClaimsEraseParams{CompanyID: who.CompanyID, CustomerIds: ids, CardIds: cards, Now: s.Now()})
	if err != nil {
		return fmt.Errorf("erase what claims say: %w", err)
	}
	err = tx.CustomersErase(ctx, db.CustomersEraseParams{CompanyID: who.CompanyID, ID: id, Total: total, QrCode: NewQRCode(), Now: s.Now()})
	if err != nil {
		return fmt.Errorf("anonymise a customer: %w", err)
	}
	if err := s.queueTraces(ctx, tx, who.CompanyID, people, ids); err != nil {
		return err
	}
	if err := tell(ctx, tx.Queries, who.CompanyID, "customer_erased", id, s.Now()); err != nil {
		return err
	}
	return auth.Audit(ctx, tx.Queries, who, s.Now(), "customer_erase", "customer", id, map[string]any{"mode": string(mode)})
}

// eraseCards takes the person off the cards; those of a wholly erased one end.
func (s *Service) eraseCards(ctx context.Context, tx db.Tx, who auth.Principal, people []uuid.UUID, total bool) error {
	if !total {
		return s.Ledger.EraseHolders(ctx, tx, who, people...)
	}
	_, err := s.Ledger.EraseCards(ctx, tx, who, people...)
	return err
}

// recipients are the addresses that messages reached the people by.
func recipients(people []db.Customer) []string {
	all := []string{}
	for _, c := range people {
		for _, address := range []*string{c.Email, c.Phone} {
			if address != nil {
				all = append(all, *address)
			}
		}
	}
	return all
}
