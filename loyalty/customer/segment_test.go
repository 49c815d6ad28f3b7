package customer_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"sello/loyalty"
	"sello/loyalty/customer"
)

// rows are customers of a change by code; R- before one removes it, U- renews.
func rows(codes ...string) []customer.MemberRow {
	var all []customer.MemberRow
	for _, code := range codes {
		row := customer.MemberRow{}
		switch {
		case strings.HasPrefix(code, "R-"):
			row.Step, code = customer.Remove, code[2:]
		case strings.HasPrefix(code, "U-"):
			row.Step, code = customer.AddOrRenew, code[2:]
		}
		row.Ref.Code = code
		all = append(all, row)
	}
	return all
}

func (e *env) members(t *testing.T, code string) []string {
	t.Helper()
	s, err := e.customers.SegmentByCode(t.Context(), e.company, code)
	if err != nil || s == nil {
		t.Fatalf("SegmentByCode(%s): got %v, error %v", code, s, err)
	}
	page, err := e.customers.Members(t.Context(), e.company, s, nil, 100)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, m := range page.All {
		codes = append(codes, *m.Customer.Code)
	}
	return codes
}

// spec/promo-6 section 3: what each operation does to who is a member, who is not,
// and nobody; rows count one after the other, in one transaction.
func TestMembersChange(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	for _, code := range []string{"a", "b", "c"} {
		env.create(t, customer.Fields{FirstName: code, Code: code})
	}
	if _, err := env.customers.SegmentCreate(t.Context(), env.who, "vip", "The best"); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		change customer.MembersChange
		want   string
		left   []string
	}{
		{"add", customer.MembersChange{Rows: rows("a", "b", "nobody")}, "added added customer_not_found", []string{"a", "b"}},
		{"add again", customer.MembersChange{Rows: rows("a", "c")}, "already_there added", []string{"a", "b", "c"}},
		{"renew", customer.MembersChange{Rows: rows("U-a", "U-nobody")}, "renewed customer_not_found", []string{"a", "b", "c"}},
		{"remove", customer.MembersChange{Rows: rows("R-a", "R-a", "R-nobody")}, "removed not_a_member customer_not_found", []string{"b", "c"}},
		{"one after the other", customer.MembersChange{Rows: rows("a", "a", "R-a", "U-a", "U-a", "R-b", "b", "R-b")},
			"added already_there removed added renewed removed added removed", []string{"a", "c"}},
		{"clear first", customer.MembersChange{ClearFirst: true, Rows: rows("c", "R-a")}, "added not_a_member", []string{"c"}},
		{"clear", customer.MembersChange{ClearFirst: true}, "", nil},
	} {
		tt.change.SegmentCode = "vip"
		got, err := env.customers.MembersChange(t.Context(), env.who, tt.change)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		var outcomes []string
		for _, r := range got.Results {
			outcomes = append(outcomes, string(r.Outcome))
		}
		if strings.Join(outcomes, " ") != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, strings.Join(outcomes, " "), tt.want)
		}
		if diff := cmp.Diff(tt.left, env.members(t, "vip")); diff != "" {
			t.Errorf("%s: members (-want +got):\n%s", tt.name, diff)
		}
	}
	vip, err := env.customers.SegmentByCode(t.Context(), env.company, "vip")
	if err != nil {
		t.Fatal(err)
	}
	if told := env.told(t, vip.ID); len(told) != 7 || told[0] != "segment_members_changed" {
		t.Errorf("events: got %v", told)
	}
	// A segment that is not there yet is opened on demand.
	got, err := env.customers.MembersChange(t.Context(), env.who, customer.MembersChange{SegmentCode: "new", Create: true, Rows: rows("a")})
	if err != nil || got.Segment.Name != "new" || got.Results[0].Outcome != customer.Added {
		t.Errorf("create: got %+v, error %v", got, err)
	}
}

func TestSegmentRefusals(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.create(t, customer.Fields{FirstName: "a", Code: "a"})
	create := func(code, name string) error {
		_, err := env.customers.SegmentCreate(t.Context(), env.who, code, name)
		return err
	}
	if err := create("vip", "VIP"); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, create(" ", "x"), loyalty.CodeRequired, "code")
	wantRefusal(t, create(strings.Repeat("x", 101), "x"), loyalty.CodeTooLong, "code")
	wantRefusal(t, create("a\nb", "x"), loyalty.CodeInvalid, "code")
	wantRefusal(t, create("x", ""), loyalty.CodeRequired, "name")
	wantRefusal(t, create("vip", "x"), loyalty.CodeTaken, "code")
	_, err := env.customers.SegmentUpdate(t.Context(), env.who, "none", "x")
	wantRefusal(t, err, loyalty.CodeSegmentNotFound, "code")
	change := func(in customer.MembersChange) error {
		_, err := env.customers.MembersChange(t.Context(), env.who, in)
		return err
	}
	wantRefusal(t, change(customer.MembersChange{SegmentCode: "none"}), loyalty.CodeSegmentNotFound, "segmentCode")
	wantRefusal(t, change(customer.MembersChange{SegmentCode: "a\x00"}), loyalty.CodeSegmentNotFound, "segmentCode")
	wantRefusal(t, change(customer.MembersChange{SegmentCode: "vip", Rows: rows(make([]string, 1001)...)}), loyalty.CodeTooLong, "customers")
	if _, err := env.customers.SegmentArchive(t.Context(), env.who, "vip", true); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, change(customer.MembersChange{SegmentCode: "vip", Rows: rows("a")}), loyalty.CodeSegmentArchived, "segmentCode")
	if err := change(customer.MembersChange{SegmentCode: "vip", Rows: rows("R-a")}); err != nil {
		t.Errorf("remove from an archived segment: %v", err)
	}
	page, _, err := env.customers.Segments(t.Context(), env.company, nil, 10, false)
	if err != nil || len(page) != 0 {
		t.Errorf("segments in use: got %d, error %v", len(page), err)
	}

	other := env.other(t)
	_, err = other.customers.SegmentArchive(t.Context(), other.who, "vip", false)
	wantRefusal(t, err, loyalty.CodeSegmentNotFound, "code")
	if s, err := other.customers.SegmentByCode(t.Context(), other.company, "vip"); s != nil || err != nil {
		t.Errorf("another company's segment: got %v, error %v", s, err)
	}
	got, err := other.customers.MembersChange(t.Context(), other.who, customer.MembersChange{SegmentCode: "own", Create: true, Rows: rows("a")})
	if err != nil || got.Results[0].Outcome != customer.NoCustomer {
		t.Errorf("another company's customer: got %+v, error %v", got, err)
	}
}

// Many change one segment at once: nobody is there twice, nobody gets lost.
func TestMembersChangeAtOnce(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	var codes []string
	for i := range 20 {
		codes = append(codes, fmt.Sprintf("c%02d", i))
		env.create(t, customer.Fields{FirstName: codes[i], Code: codes[i]})
	}
	if _, err := env.customers.SegmentCreate(t.Context(), env.who, "all", "All"); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	added := map[string]int{}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			mine := slices.Clone(codes)
			if i%2 == 1 {
				slices.Reverse(mine)
			}
			got, err := env.customers.MembersChange(t.Context(), env.who, customer.MembersChange{SegmentCode: "all", Rows: rows(mine...)})
			if err != nil {
				t.Errorf("MembersChange: %v", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			for k, r := range got.Results {
				if r.Outcome == customer.Added {
					added[mine[k]]++
				}
			}
		})
	}
	wg.Wait()
	for _, code := range codes {
		if added[code] != 1 {
			t.Errorf("%s was added %d times", code, added[code])
		}
	}
	if got := env.members(t, "all"); !slices.Equal(got, codes) {
		t.Errorf("members: got %v", got)
	}
}

func TestSegmentsOfPages(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	c := env.create(t, customer.Fields{FirstName: "a", Code: "a"})
	for i := range 5 {
		_, err := env.customers.MembersChange(t.Context(), env.who, customer.MembersChange{SegmentCode: fmt.Sprintf("s%d", i), Create: true, Rows: rows("a")})
		if err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	var after *uuid.UUID
	for more := true; more; {
		page, err := env.customers.SegmentsOf(t.Context(), env.company, c, after, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page.All {
			got, after = append(got, m.Segment.Code), &m.Segment.ID
			if !m.AddedAt.Equal(noon) {
				t.Errorf("%s: added at %s", m.Segment.Code, m.AddedAt)
			}
		}
		more = page.More
	}
	if diff := cmp.Diff([]string{"s0", "s1", "s2", "s3", "s4"}, got); diff != "" {
		t.Errorf("segments (-want +got):\n%s", diff)
	}
}
