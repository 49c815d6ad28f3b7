package customer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// maxMemberRows is the most customers of one change (spec/promo-6 section 3 takes
// them by the thousand).
const maxMemberRows = 1000

// Step is what to do with one customer of a segment.
type Step int

// The steps. They are the operations of spec/promo-6 section 3: I, UI and R.
const (
	// Add refuses nobody: who is a member already is told so.
	Add Step = iota
	// AddOrRenew gives who is a member already a new time stamp.
	AddOrRenew
	Remove
)

// Outcome is what became of one customer of a change.
type Outcome string

// The outcomes.
const (
	Added        Outcome = "added"
	Renewed      Outcome = "renewed"
	AlreadyThere Outcome = "already_there"
	Removed      Outcome = "removed"
	NotAMember   Outcome = "not_a_member"
	// NoCustomer: there is no such customer.
	NoCustomer Outcome = "customer_not_found"
)

// Ref names a customer by id or by code.
type Ref struct {
	ID   *uuid.UUID
	Code string
}

// MemberRow is one customer of a change.
type MemberRow struct {
	Ref  Ref
	Step Step
}

// MembersChange changes the members of one segment.
type MembersChange struct {
	SegmentCode string
	// Create makes the segment, under its code as its name, where there is none.
	Create bool
	// ClearFirst ends all memberships before the rows count.
	ClearFirst bool
	// Rows count one after the other, at most 1000 of them.
	Rows []MemberRow
}

// MemberResult is what became of one row.
type MemberResult struct {
	// Customer is nil where there is none.
	Customer *Customer
	Outcome  Outcome
}

// MembersChanged is what became of a change.
type MembersChanged struct {
	Segment *Segment
	// Results are those of the rows, in their order.
	Results []MemberResult
	// Cleared counts the memberships that ClearFirst ended.
	Cleared int
}

// MembersChange changes a segment's members, all of it in one transaction. It refuses
// with SEGMENT_NOT_FOUND, SEGMENT_ARCHIVED (of clearing and removing it refuses
// nothing) and TOO_LONG (customers), with what a new segment's code is refused for,
// and a row with its outcome.
func (s *Service) MembersChange(ctx context.Context, who auth.Principal, in MembersChange) (MembersChanged, error) {
	if len(in.Rows) > maxMemberRows {
		return MembersChanged{}, loyalty.Refuse(loyalty.CodeTooLong, "customers")
	}
	var changed MembersChanged
	err := s.DB.InTx(ctx, func(tx db.Tx) error {
		changed = MembersChanged{}
		row, err := s.segmentFor(ctx, tx.Queries, who, in)
		if err != nil {
			return err
		}
		changed.Segment = &Segment{Segment: row}
		if in.ClearFirst {
			n, err := tx.SegmentMembersClear(ctx, who.CompanyID, row.ID)
			if err != nil {
				return fmt.Errorf("clear a segment: %w", err)
			}
			changed.Cleared = int(n)
		}
		added, removed, err := s.changeMembers(ctx, tx.Queries, row, in.Rows, &changed)
		if err != nil {
			return err
		}
		if added+removed+changed.Cleared > 0 {
			if err := tell(ctx, tx.Queries, who.CompanyID, "segment_members_changed", row.ID, s.Now()); err != nil {
				return err
			}
		}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "segment_members_change", "segment", row.ID,
			map[string]any{"put": added, "removed": removed, "cleared": changed.Cleared})
	})
	switch {
	case err == nil:
		return changed, nil
	case loyalty.CodeOf(err) != "":
		return MembersChanged{}, err
	case db.Unstorable(err):
		return MembersChanged{}, loyalty.Refuse(loyalty.CodeInvalid, "customers")
	default:
		return MembersChanged{}, fmt.Errorf("change a segment's members: %w", err)
	}
}

// segmentFor locks the segment of a change, or makes it.
func (s *Service) segmentFor(ctx context.Context, q *db.Queries, who auth.Principal, in MembersChange) (db.Segment, error) {
	row, err := q.SegmentLock(ctx, who.CompanyID, in.SegmentCode)
	adds := slices.ContainsFunc(in.Rows, func(r MemberRow) bool { return r.Step != Remove })
	switch {
	case errors.Is(err, pgx.ErrNoRows) && in.Create:
		code, err := segmentCode(in.SegmentCode)
		if err != nil {
			return row, err
		}
		row, err := s.segmentCreate(ctx, q, who, code, code)
		if db.Violates(err, "segment_code_key") { // made at the same moment
			return row, loyalty.Refuse(loyalty.CodeStateConflict, "segmentCode")
		}
		return row, err
	case db.Absent(err):
		return row, loyalty.Refuse(loyalty.CodeSegmentNotFound, "segmentCode")
	case err != nil:
		return row, fmt.Errorf("lock a segment: %w", err)
	case row.ArchivedAt != nil && adds:
		return row, loyalty.Refuse(loyalty.CodeSegmentArchived, "segmentCode")
	}
	return row, nil
}

// changeMembers reckons what the rows come to, one after the other, and writes it
// in one statement a direction.
func (s *Service) changeMembers(ctx context.Context, q *db.Queries, segment db.Segment, rows []MemberRow, changed *MembersChanged) (put, removed int, err error) {
	found, err := customersOf(ctx, q, segment.CompanyID, rows)
	if err != nil {
		return 0, 0, err
	}
	var ids []uuid.UUID
	for _, c := range found {
		if c != nil {
			ids = append(ids, c.ID)
		}
	}
	members, err := q.SegmentMembersOf(ctx, db.SegmentMembersOfParams{CompanyID: segment.CompanyID, SegmentID: segment.ID, CustomerIds: ids})
	if err != nil {
		return 0, 0, fmt.Errorf("read a segment's members: %w", err)
	}
	is, touched := map[uuid.UUID]bool{}, map[uuid.UUID]bool{}
	for _, id := range members {
		is[id] = true
	}
	for i, row := range rows {
		result := MemberResult{Customer: found[i], Outcome: NoCustomer}
		if c := found[i]; c != nil {
			result.Outcome = outcome(row.Step, is[c.ID])
			if result.Outcome == Added || result.Outcome == Renewed || result.Outcome == Removed {
				touched[c.ID], is[c.ID] = true, result.Outcome != Removed
			}
		}
		changed.Results = append(changed.Results, result)
	}
	var in, out []uuid.UUID
	for _, id := range slices.Compact(slices.SortedFunc(slices.Values(ids), compareIDs)) {
		switch {
		case touched[id] && is[id]:
			in = append(in, id)
		case touched[id]:
			out = append(out, id)
		}
	}
	if len(in) > 0 {
		err = q.SegmentMembersPut(ctx, db.SegmentMembersPutParams{CompanyID: segment.CompanyID, SegmentID: segment.ID, CustomerIds: in, Now: s.Now()})
		if err != nil {
			return 0, 0, fmt.Errorf("add members: %w", err)
		}
	}
	if len(out) > 0 {
		_, err = q.SegmentMembersDelete(ctx, db.SegmentMembersDeleteParams{CompanyID: segment.CompanyID, SegmentID: segment.ID, CustomerIds: out})
		if err != nil {
			return 0, 0, fmt.Errorf("remove members: %w", err)
		}
	}
	return len(in), len(out), nil
}

func outcome(step Step, member bool) Outcome {
	switch {
	case step == Remove && member:
		return Removed
	case step == Remove:
		return NotAMember
	case !member:
		return Added
	case step == AddOrRenew:
		return Renewed
	default:
		return AlreadyThere
	}
}

// customersOf finds the customers of the rows, nil where there is none.
func customersOf(ctx context.Context, q *db.Queries, company uuid.UUID, rows []MemberRow) ([]*Customer, error) {
	in := db.CustomersOfRefsParams{CompanyID: company}
	for _, row := range rows {
		switch {
		case row.Ref.ID != nil:
			in.Ids = append(in.Ids, *row.Ref.ID)
		case storable(row.Ref.Code):
			in.Codes = append(in.Codes, row.Ref.Code)
		}
	}
	if len(in.Ids)+len(in.Codes) == 0 {
		return make([]*Customer, len(rows)), nil
	}
	all, err := q.CustomersOfRefs(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("find customers: %w", err)
	}
	byID, byCode := map[uuid.UUID]*Customer{}, map[string]*Customer{}
	for _, c := range customers(all) {
		byID[c.ID] = c
		if c.Code != nil {
			byCode[*c.Code] = c
		}
	}
	found := make([]*Customer, len(rows))
	for i, row := range rows {
		if row.Ref.ID != nil {
			found[i] = byID[*row.Ref.ID]
		} else {
			found[i] = byCode[row.Ref.Code]
		}
	}
	return found, nil
}

func compareIDs(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) }
