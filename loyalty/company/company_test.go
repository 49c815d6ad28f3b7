package company_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"sello/db"
	"sello/db/dbtest"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/company"
	"sello/loyalty/ledger"
)

var noon = time.Date(2026, time.March, 2, 12, 0, 0, 0, time.UTC)

// env is a company on a database of the test's own.
type env struct {
	pool    *pgxpool.Pool
	service *company.Service
	ledger  *ledger.Service
	company *company.Company
	who     auth.Principal
}

func newEnv(t *testing.T) *env {
	t.Helper()
	e := &env{pool: dbtest.New(t)}
	e.open(t)
	return e
}

// other is a second company on the same database.
func (e *env) other(t *testing.T) *env {
	t.Helper()
	o := &env{pool: e.pool}
	o.open(t)
	return o
}

func (e *env) open(t *testing.T) {
	t.Helper()
	store, now := db.NewStore(e.pool), func() time.Time { return noon }
	e.ledger = ledger.New(store, now)
	e.service = &company.Service{
		DB: store, Now: now, FingerprintKey: []byte("key"),
		Hash: func(_ context.Context, password string) (string, error) { return "hash of " + password, nil },
	}
	var err error
	if e.company, err = e.service.Create(t.Context(), newCompany()); err != nil {
		t.Fatalf("Create: %v", err)
	}
	e.who = auth.System(e.company.ID)
}

func newCompany() company.NewCompany {
	return company.NewCompany{
		Code: "c" + uuid.NewString()[:8], Name: "Acme", TimeZone: "America/Mexico_City", Language: "es", Currency: "MXN", PhonePrefix: "+52",
	}
}

func wantRefusal(t *testing.T, err error, code loyalty.Code, field string) {
	t.Helper()
	if got := loyalty.CodeOf(err); got != code || (code == "" && err != nil) {
		t.Fatalf("got refusal %q (error %v), want %q", got, err, code)
	}
	if refused, ok := errors.AsType[*loyalty.Error](err); ok && refused.Field != field {
		t.Errorf("field at fault: got %q, want %q", refused.Field, field)
	}
}

func ana() company.NewStaff {
	return company.NewStaff{Name: "Ana Díaz", Phone: "5512345678", Role: company.Cashier, StoreName: "Centro", Password: "secret 1"}
}

func TestCompany(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	for name, tt := range map[string]struct {
		change  func(*company.NewCompany)
		refusal loyalty.Code
		field   string
	}{
		"code in use":       {func(in *company.NewCompany) { in.Code = env.company.Code }, loyalty.CodeTaken, "code"},
		"code with blanks":  {func(in *company.NewCompany) { in.Code = "a b" }, loyalty.CodeInvalid, "code"},
		"unknown zone":      {func(in *company.NewCompany) { in.TimeZone = "Mars/Base" }, loyalty.CodeInvalid, "timeZone"},
		"the server's zone": {func(in *company.NewCompany) { in.TimeZone = "Local" }, loyalty.CodeInvalid, "timeZone"},
		"unknown language":  {func(in *company.NewCompany) { in.Language = "xx" }, loyalty.CodeInvalid, "language"},
	} {
		in := newCompany()
		tt.change(&in)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := env.service.Create(t.Context(), in)
			wantRefusal(t, err, tt.refusal, tt.field)
		})
	}
	changed, err := env.service.Update(t.Context(), env.who, company.Change{Name: new(" Nova "), Language: new("vi")})
	if err != nil || changed.Name != "Nova" || changed.Language != "vi" || changed.TimeZone != env.company.TimeZone {
		t.Errorf("Update: got %+v, error %v", changed, err)
	}
	_, err = env.service.Update(t.Context(), env.who, company.Change{Name: new("  ")})
	wantRefusal(t, err, loyalty.CodeRequired, "name")
}

func TestStores(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	other := env.other(t)
	for i := range 3 {
		if _, err := env.service.StoreCreate(t.Context(), env.who, fmt.Sprintf("S%d", i), fmt.Sprintf("Store %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := other.service.StoreCreate(t.Context(), other.who, "S0", "Theirs"); err != nil {
		t.Errorf("StoreCreate with a code of another company: %v", err)
	}
	_, err := env.service.StoreCreate(t.Context(), env.who, "S0", "Again")
	wantRefusal(t, err, loyalty.CodeTaken, "code")
	_, err = env.service.StoreCreate(t.Context(), env.who, "S 9", "Nine")
	wantRefusal(t, err, loyalty.CodeInvalid, "code")
	_, err = env.service.StoreCreate(t.Context(), env.who, "S9", " ")
	wantRefusal(t, err, loyalty.CodeRequired, "name")

	closed, err := env.service.StoreUpdate(t.Context(), env.who, "S1", new("Norte"), new(true))
	if err != nil || closed.Name != "Norte" || closed.ArchivedAt == nil {
		t.Errorf("StoreUpdate: got %+v, error %v", closed, err)
	}
	opened, err := env.service.StoreUpdate(t.Context(), env.who, "S1", nil, new(false))
	if err != nil || opened.Name != "Norte" || opened.ArchivedAt != nil {
		t.Errorf("StoreUpdate opens again: got %+v, error %v", opened, err)
	}
	_, err = env.service.StoreUpdate(t.Context(), env.who, "S7", nil, nil)
	wantRefusal(t, err, loyalty.CodeStoreNotFound, "code")
	if s, err := env.service.StoreByCode(t.Context(), env.company.ID, "S\x00"); s != nil || err != nil {
		t.Errorf("StoreByCode of what no code can be: got %v, error %v", s, err)
	}

	first, more, err := env.service.Stores(t.Context(), env.company.ID, nil, 2)
	if err != nil || len(first) != 2 || !more {
		t.Fatalf("Stores: got %d, more %t, error %v, want 2 and more", len(first), more, err)
	}
	second, more, err := env.service.Stores(t.Context(), env.company.ID, &first[1].ID, 2)
	if err != nil || len(second) != 1 || more || second[0].Code != "S2" {
		t.Errorf("Stores, second page: got %v, more %t, error %v, want S2 alone", second, more, err)
	}
}

// spec/wallet.md 3.9.
func TestStaffCreate(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	for code, key := range map[string]*string{"wallet": new("wallet-key-1"), "old": new("wallet-key-2"), "points": nil} {
		_, err := env.ledger.CardTypeCreate(t.Context(), env.who, ledger.NewCardType{Code: code, Name: code, Unit: ledger.Points, WalletKey: key})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := env.ledger.CardTypeUpdate(t.Context(), env.who, "old", ledger.CardTypeChange{Archived: new(true)}); err != nil {
		t.Fatal(err)
	}

	m, err := env.service.StaffCreate(t.Context(), env.who, ana())
	if err != nil {
		t.Fatalf("StaffCreate: %v", err)
	}
	if m.Number != 8101 || m.Duty() != company.Cashier {
		t.Errorf("first staff member: got number %d, %s, want 8101, cashier", m.Number, m.Duty())
	}
	if bytes.Contains(m.PasswordFingerprint, []byte("secret")) || len(m.PasswordFingerprint) != 32 || *m.PasswordHash != "hash of secret 1" {
		t.Errorf("password is kept as %q and %x", *m.PasswordHash, m.PasswordFingerprint)
	}
	rights, err := env.service.RightsOf(t.Context(), env.company.ID, m)
	wallet, _ := env.ledger.CardTypeByCode(t.Context(), env.company.ID, "wallet")
	if err != nil || len(rights) != 1 || rights[0].CardTypeID != wallet.ID || !rights[0].Accrue || !rights[0].Redeem || !rights[0].Adjust {
		t.Errorf("rights of a new staff member: got %v, error %v, want all on the active wallet", rights, err)
	}
	store, err := env.service.StoreOf(t.Context(), env.company.ID, m)
	if err != nil || store.Name != "Centro" {
		t.Errorf("store: got %v, error %v", store, err)
	}

	// The store of that name is there now; the one that is named by code has to be.
	bea := company.NewStaff{Name: "Bea", Phone: "5512345679", Role: company.Manager, StoreName: " CENTRO ", Password: "secret 2"}
	second, err := env.service.StaffCreate(t.Context(), env.who, bea)
	if err != nil || second.StoreID != m.StoreID || second.Number != 8102 {
		t.Errorf("second staff member: got %+v, error %v, want number 8102 in the same store", second, err)
	}
	for name, tt := range map[string]struct {
		change  func(*company.NewStaff)
		refusal loyalty.Code
		field   string
	}{
		"name in use":           {func(in *company.NewStaff) { in.Name = " ANA  díaz" }, loyalty.CodeTaken, "name"},
		"phone in use":          {func(in *company.NewStaff) { in.Phone = "5512345678" }, loyalty.CodeTaken, "phone"},
		"password in use":       {func(in *company.NewStaff) { in.Password = "secret 1" }, loyalty.CodePasswordTaken, "password"},
		"no name":               {func(in *company.NewStaff) { in.Name = "" }, loyalty.CodeRequired, "name"},
		"long name":             {func(in *company.NewStaff) { in.Name = strings.Repeat("x", 101) }, loyalty.CodeTooLong, "name"},
		"nine digits":           {func(in *company.NewStaff) { in.Phone = "551234567" }, loyalty.CodeInvalid, "phone"},
		"unknown role":          {func(in *company.NewStaff) { in.Role = "boss" }, loyalty.CodeInvalid, "role"},
		"short password":        {func(in *company.NewStaff) { in.Password = "123" }, loyalty.CodeInvalid, "password"},
		"unknown store":         {func(in *company.NewStaff) { in.StoreCode = "nowhere" }, loyalty.CodeStoreNotFound, "storeCode"},
		"store that is no text": {func(in *company.NewStaff) { in.StoreCode = "\x00" }, loyalty.CodeStoreNotFound, "storeCode"},
		"no store":              {func(in *company.NewStaff) { in.StoreName = "" }, loyalty.CodeRequired, "storeCode"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := company.NewStaff{Name: "Cid", Phone: "5500000000", Role: company.Cashier, StoreName: "Centro", Password: "secret 3"}
			tt.change(&in)
			_, err := env.service.StaffCreate(t.Context(), env.who, in)
			wantRefusal(t, err, tt.refusal, tt.field)
		})
	}
	other := env.other(t)
	if m, err := other.service.StaffCreate(t.Context(), other.who, ana()); err != nil || m.Number != 8101 {
		t.Errorf("the same person at another company: got %v, error %v", m, err)
	}
}

func TestStaffCreateAtOnce(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		in := ana()
		if i%2 == 1 { // four are the same person, four are different ones
			in.Name, in.Phone, in.Password = fmt.Sprint("Bea ", i), fmt.Sprintf("551000000%d", i), fmt.Sprint("other ", i)
		}
		wg.Go(func() { _, errs[i] = env.service.StaffCreate(t.Context(), env.who, in) })
	}
	wg.Wait()
	same := 0
	for i, err := range errs {
		switch {
		case i%2 == 1 && err != nil:
			t.Errorf("StaffCreate of a different person: %v", err)
		case i%2 == 0 && err == nil:
			same++
		case i%2 == 0 && loyalty.CodeOf(err) == "":
			t.Errorf("StaffCreate of the same person: %v", err)
		}
	}
	if same != 1 {
		t.Errorf("one person taken on four times at once: %d succeeded, want 1", same)
	}
	all, _, err := env.service.StaffMembers(t.Context(), env.company.ID, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var numbers []int64
	for _, m := range all {
		numbers = append(numbers, m.Number)
	}
	if !slices.Equal(numbers, []int64{8101, 8102, 8103, 8104, 8105}) {
		t.Errorf("numbers: got %v, want 8101 to 8105 without a gap", numbers)
	}
}

func TestStaffArchive(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	m, err := env.service.StaffCreate(t.Context(), env.who, ana())
	if err != nil {
		t.Fatal(err)
	}
	gone, err := env.service.StaffArchive(t.Context(), env.who, nil, "5512345678")
	if err != nil || gone.ID != m.ID || gone.ArchivedAt == nil || gone.PasswordHash != nil || gone.PasswordFingerprint != nil {
		t.Errorf("StaffArchive: got %+v, error %v, want archived without a password", gone, err)
	}
	_, err = env.service.StaffArchive(t.Context(), env.who, &m.Number, "")
	wantRefusal(t, err, loyalty.CodeStaffArchived, "number")
	_, err = env.service.StaffArchive(t.Context(), env.who, nil, "5512345678") // no active one has it
	wantRefusal(t, err, loyalty.CodeStaffNotFound, "phone")
	_, err = env.service.StaffArchive(t.Context(), env.who, new(int64(1)), "")
	wantRefusal(t, err, loyalty.CodeStaffNotFound, "number")
	other := env.other(t)
	_, err = other.service.StaffArchive(t.Context(), other.who, &m.Number, "")
	wantRefusal(t, err, loyalty.CodeStaffNotFound, "number")
	// Name, phone and password are free again.
	if again, err := env.service.StaffCreate(t.Context(), env.who, ana()); err != nil || again.Number != 8102 {
		t.Errorf("StaffCreate of the same person: got %v, error %v, want number 8102", again, err)
	}
}

func TestStaffRightSet(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	if _, err := env.ledger.CardTypeCreate(t.Context(), env.who, ledger.NewCardType{Code: "points", Name: "Points", Unit: ledger.Points}); err != nil {
		t.Fatal(err)
	}
	m, err := env.service.StaffCreate(t.Context(), env.who, ana())
	if err != nil {
		t.Fatal(err)
	}
	rights := func() string {
		fresh, err := env.service.StaffByNumber(t.Context(), env.company.ID, m.Number)
		if err != nil {
			t.Fatal(err)
		}
		all, err := env.service.RightsOf(t.Context(), env.company.ID, fresh)
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		for _, r := range all {
			text += fmt.Sprintf("%t %t %t;", r.Accrue, r.Redeem, r.Adjust)
		}
		return text
	}
	for _, step := range []struct {
		in   company.Rights
		want string
	}{
		{company.Rights{Accrue: true}, "true false false;"},
		{company.Rights{Redeem: true, Adjust: true}, "false true true;"},
		{company.Rights{}, "false false false;"}, // a permission without a right
		{company.Rights{Removed: true}, ""},      // no permission
	} {
		if _, err := env.service.StaffRightSet(t.Context(), env.who, m.Number, "points", step.in); err != nil {
			t.Fatalf("StaffRightSet: %v", err)
		}
		if got := rights(); got != step.want {
			t.Errorf("rights after %+v: got %q, want %q", step.in, got, step.want)
		}
	}
	_, err = env.service.StaffRightSet(t.Context(), env.who, 1, "points", company.Rights{})
	wantRefusal(t, err, loyalty.CodeStaffNotFound, "staffNumber")
	_, err = env.service.StaffRightSet(t.Context(), env.who, m.Number, "none", company.Rights{})
	wantRefusal(t, err, loyalty.CodeCardTypeNotFound, "cardTypeCode")
	if _, err := env.service.StaffArchive(t.Context(), env.who, &m.Number, ""); err != nil {
		t.Fatal(err)
	}
	_, err = env.service.StaffRightSet(t.Context(), env.who, m.Number, "points", company.Rights{})
	wantRefusal(t, err, loyalty.CodeStaffArchived, "staffNumber")
}

// Every change by an operator leaves an entry, without personal data.
func TestChangesAreAudited(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	if _, err := env.service.StaffCreate(t.Context(), env.who, ana()); err != nil {
		t.Fatal(err)
	}
	var entries string
	err := env.pool.QueryRow(t.Context(), `SELECT string_agg(action || ' ' || actor_kind || ' ' || detail::text, ';' ORDER BY action)
		FROM audit_entry WHERE company_id = $1`, env.company.ID).Scan(&entries)
	if err != nil {
		t.Fatal(err)
	}
	if want := "staff_create system {};store_create system {}"; entries != want {
		t.Errorf("audit entries: got %q, want %q", entries, want)
	}
}
