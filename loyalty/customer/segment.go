package customer

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// Segment is a group of customers that the company makes.
type Segment struct {
	db.Segment
	batch *loyalty.Batch[Segment]
}

// GlobalID is the segment's opaque id.
func (s *Segment) GlobalID() string { return loyalty.GlobalID("Segment", s.ID.String()) }

func segments(rows []db.Segment) []*Segment {
	all := make([]*Segment, len(rows))
	for i, row := range rows {
		all[i] = &Segment{Segment: row}
	}
	batch := loyalty.NewBatch(all)
	for _, s := range all {
		s.batch = batch
	}
	return all
}

func segment(row db.Segment, err error) (*Segment, error) {
	if db.Absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a segment: %w", err)
	}
	return &Segment{Segment: row}, nil
}

// SegmentCreate opens a segment without members. It refuses with INVALID, REQUIRED,
// TOO_LONG and TAKEN.
func (s *Service) SegmentCreate(ctx context.Context, who auth.Principal, code, name string) (*Segment, error) {
	code, err := segmentCode(code)
	if err != nil {
		return nil, err
	}
	if name, err = title(name, "name"); err != nil {
		return nil, err
	}
	var row db.Segment
	err = s.DB.InTx(ctx, func(tx db.Tx) error {
		row, err = s.segmentCreate(ctx, tx.Queries, who, code, name)
		return err
	})
	switch {
	case err == nil:
		return &Segment{Segment: row}, nil
	case db.Violates(err, "segment_code_key"):
		return nil, loyalty.Refuse(loyalty.CodeTaken, "code")
	default:
		return nil, fmt.Errorf("create a segment: %w", err)
	}
}

func (s *Service) segmentCreate(ctx context.Context, q *db.Queries, who auth.Principal, code, name string) (db.Segment, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return db.Segment{}, fmt.Errorf("make an id: %w", err)
	}
	row, err := q.SegmentCreate(ctx, db.SegmentCreateParams{CompanyID: who.CompanyID, ID: id, Code: code, Name: name, Now: s.Now()})
	if err != nil {
		return row, err
	}
	return row, auth.Audit(ctx, q, who, s.Now(), "segment_create", "segment", id, map[string]any{"code": code})
}

// segmentCode reads a segment's code: 1 to 100 characters.
func segmentCode(code string) (string, error) {
	code = strings.TrimSpace(code)
	switch {
	case code == "":
		return "", loyalty.Refuse(loyalty.CodeRequired, "code")
	case utf8.RuneCountInString(code) > maxCode:
		return "", loyalty.Refuse(loyalty.CodeTooLong, "code")
	case !utf8.ValidString(code) || strings.ContainsFunc(code, unicode.IsControl):
		return "", loyalty.Refuse(loyalty.CodeInvalid, "code")
	}
	return code, nil
}

// SegmentUpdate renames a segment. It refuses with SEGMENT_NOT_FOUND, INVALID,
// REQUIRED and TOO_LONG.
func (s *Service) SegmentUpdate(ctx context.Context, who auth.Principal, code, name string) (*Segment, error) {
	name, err := title(name, "name")
	if err != nil {
		return nil, err
	}
	return s.segmentChange(ctx, who, "segment_update", nil, func(q *db.Queries) (db.Segment, error) {
		return q.SegmentUpdate(ctx, db.SegmentUpdateParams{CompanyID: who.CompanyID, Code: code, Name: name, Now: s.Now()})
	})
}

// SegmentArchive takes a segment out of use, or back into it. Members stay members.
// It refuses with SEGMENT_NOT_FOUND.
func (s *Service) SegmentArchive(ctx context.Context, who auth.Principal, code string, archived bool) (*Segment, error) {
	return s.segmentChange(ctx, who, "segment_archive", map[string]any{"archived": archived}, func(q *db.Queries) (db.Segment, error) {
		return q.SegmentArchive(ctx, db.SegmentArchiveParams{CompanyID: who.CompanyID, Code: code, Archived: archived, Now: s.Now()})
	})
}

func (s *Service) segmentChange(ctx context.Context, who auth.Principal, action string, detail map[string]any, change func(*db.Queries) (db.Segment, error)) (*Segment, error) {
	var row db.Segment
	err := s.DB.InTx(ctx, func(tx db.Tx) error {
		var err error
		if row, err = change(tx.Queries); err != nil {
			return err
		}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), action, "segment", row.ID, detail)
	})
	switch {
	case err == nil:
		return &Segment{Segment: row}, nil
	case db.Absent(err):
		return nil, loyalty.Refuse(loyalty.CodeSegmentNotFound, "code")
	default:
		return nil, fmt.Errorf("change a segment: %w", err)
	}
}

// SegmentByCode reads a segment; nil if the company has none of that code.
func (s *Service) SegmentByCode(ctx context.Context, company uuid.UUID, code string) (*Segment, error) {
	return segment(s.DB.SegmentByCode(ctx, company, code))
}

// SegmentByID reads a segment; nil if the company has none of that id.
func (s *Service) SegmentByID(ctx context.Context, company, id uuid.UUID) (*Segment, error) {
	return segment(s.DB.SegmentByID(ctx, company, id))
}

// Segments reads a page of segments, oldest first, from behind an id.
func (s *Service) Segments(ctx context.Context, company uuid.UUID, after *uuid.UUID, first int, withArchived bool) (page []*Segment, more bool, err error) {
	rows, err := s.DB.SegmentsPage(ctx, db.SegmentsPageParams{CompanyID: company, After: after, WithArchived: withArchived, BatchSize: int32(first) + 1})
	if err != nil {
		return nil, false, fmt.Errorf("list segments: %w", err)
	}
	if more = len(rows) > first; more {
		rows = rows[:first]
	}
	return segments(rows), more, nil
}

// SegmentsCount counts segments.
func (s *Service) SegmentsCount(ctx context.Context, company uuid.UUID, withArchived bool) (int, error) {
	n, err := s.DB.SegmentsCount(ctx, company, withArchived)
	if err != nil {
		return 0, fmt.Errorf("count segments: %w", err)
	}
	return int(n), nil
}

// Membership is a customer in a segment: one of the two is where it was asked.
type Membership struct {
	Customer *Customer
	Segment  *Segment
	AddedAt  time.Time
	// UpdatedAt is when the membership was last confirmed.
	UpdatedAt time.Time
}

// Memberships is a page of memberships and whether more follow.
type Memberships struct {
	All  []Membership
	More bool
}

func (m Memberships) with(one Membership, first int) Memberships {
	if len(m.All) == first {
		m.More = true
		return m
	}
	m.All = append(m.All, one)
	return m
}

// SegmentsOf reads the first segments of a customer from behind a segment's id,
// oldest segment first, and with them those of the customer's batch.
func (s *Service) SegmentsOf(ctx context.Context, company uuid.UUID, c *Customer, after *uuid.UUID, first int) (Memberships, error) {
	key := fmt.Sprintf("segments %s %d", idText(after), first)
	return loyalty.Together(c.batch, c, key, func(all []*Customer) (map[*Customer]Memberships, error) {
		return loyalty.Lookup(all, func(c *Customer) (uuid.UUID, bool) { return c.ID, true },
			func(ids []uuid.UUID) (map[uuid.UUID]Memberships, error) {
				rows, err := s.DB.SegmentsByCustomers(ctx, db.SegmentsByCustomersParams{
					CompanyID: company, CustomerIds: ids, After: after, BatchSize: int32(first) + 1,
				})
				if err != nil {
					return nil, fmt.Errorf("list customers' segments: %w", err)
				}
				plain := make([]db.Segment, len(rows))
				for i, row := range rows {
					plain[i] = row.Segment
				}
				pages := map[uuid.UUID]Memberships{}
				for i, one := range segments(plain) {
					row := rows[i]
					pages[row.CustomerID] = pages[row.CustomerID].with(Membership{Segment: one, AddedAt: row.AddedAt, UpdatedAt: row.UpdatedAt}, first)
				}
				return pages, nil
			})
	})
}

// Members reads the first members of a segment from behind a customer's id, oldest
// customer first, and with them those of the segment's batch.
func (s *Service) Members(ctx context.Context, company uuid.UUID, of *Segment, after *uuid.UUID, first int) (Memberships, error) {
	key := fmt.Sprintf("members %s %d", idText(after), first)
	return loyalty.Together(of.batch, of, key, func(all []*Segment) (map[*Segment]Memberships, error) {
		return loyalty.Lookup(all, func(s *Segment) (uuid.UUID, bool) { return s.ID, true },
			func(ids []uuid.UUID) (map[uuid.UUID]Memberships, error) {
				rows, err := s.DB.SegmentMembersBySegments(ctx, db.SegmentMembersBySegmentsParams{
					CompanyID: company, SegmentIds: ids, After: after, BatchSize: int32(first) + 1,
				})
				if err != nil {
					return nil, fmt.Errorf("list segments' members: %w", err)
				}
				plain := make([]db.Customer, len(rows))
				for i, row := range rows {
					plain[i] = row.Customer
				}
				pages := map[uuid.UUID]Memberships{}
				for i, one := range customers(plain) {
					row := rows[i]
					pages[row.SegmentID] = pages[row.SegmentID].with(Membership{Customer: one, AddedAt: row.AddedAt, UpdatedAt: row.UpdatedAt}, first)
				}
				return pages, nil
			})
	})
}

// MembersCount counts a segment's members, and with them those of its batch.
func (s *Service) MembersCount(ctx context.Context, company uuid.UUID, of *Segment) (int, error) {
	return loyalty.Together(of.batch, of, "members count", func(all []*Segment) (map[*Segment]int, error) {
		return loyalty.Lookup(all, func(s *Segment) (uuid.UUID, bool) { return s.ID, true },
			func(ids []uuid.UUID) (map[uuid.UUID]int, error) {
				rows, err := s.DB.SegmentMembersCount(ctx, company, ids)
				if err != nil {
					return nil, fmt.Errorf("count segments' members: %w", err)
				}
				counts := make(map[uuid.UUID]int, len(rows))
				for _, row := range rows {
					counts[row.SegmentID] = int(row.Members)
				}
				return counts, nil
			})
	})
}

func idText(id *uuid.UUID) string {
	if id == nil {
		return ""
	}
	return id.String()
}
