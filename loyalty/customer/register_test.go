package customer_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/govalues/decimal"

	"sello/loyalty"
	"sello/loyalty/company"
	"sello/loyalty/customer"
	"sello/loyalty/ledger"
)

func contact() customer.Contact {
	return customer.Contact{WalletKey: "wallet-key-1", Phone: "5512345678", Name: " José Muñoz "}
}

// spec/wallet.md 3.5.
func TestRegister(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	card, reopened, err := env.customers.Register(t.Context(), env.who, contact())
	if err != nil {
		t.Fatalf("Register: %v", err)
	}
	if reopened || *card.HolderName != "José Muñoz" || *card.HolderPhone != "5512345678" || card.State() != ledger.Enabled || !card.Balance.IsZero() {
		t.Errorf("new contact: reopened %t, %q, %q, %s, %s", reopened, *card.HolderName, *card.HolderPhone, card.State(), card.Balance)
	}
	person, err := env.customers.ByPhone(t.Context(), env.company, "5512345678")
	if err != nil || person == nil || person.ID != *card.CustomerID {
		t.Fatalf("the person behind the contact: got %v, error %v", person, err)
	}
	_, _, err = env.customers.Register(t.Context(), env.who, contact())
	wantRefusal(t, err, loyalty.CodeContactExists, "phone")

	// An archived one comes back with its balance and a new name.
	_, err = env.ledger.Post(t.Context(), env.who, ledger.Posting{
		Card: ledger.CardRef{WalletKey: "wallet-key-1", Phone: "5512345678"}, Action: ledger.Accrue, Amount: new(decimal.Ten), Source: "wallet",
	})
	if err != nil {
		t.Fatalf("Post on a contact: %v", err)
	}
	if _, err := env.ledger.CardStatusSet(t.Context(), env.who, card.Code, ledger.Disabled); err != nil {
		t.Fatal(err)
	}
	again := contact()
	again.Name, again.Birthdate = "Pepe", day("1990-01-31")
	back, reopened, err := env.customers.Register(t.Context(), env.who, again)
	if err != nil || !reopened || back.ID != card.ID || *back.HolderName != "Pepe" || back.HolderBirthdate == nil || back.State() != ledger.Enabled || back.Balance.Cmp(decimal.Ten) != 0 {
		t.Errorf("Register again: got %+v, reopened %t, error %v", back, reopened, err)
	}

	// The same person in another wallet is the same customer.
	env.walletOf(t, ledger.NewCardType{Code: "second", WalletKey: new("wallet-key-2")})
	elsewhere := contact()
	elsewhere.WalletKey = "wallet-key-2"
	second, _, err := env.customers.Register(t.Context(), env.who, elsewhere)
	if err != nil || *second.CustomerID != person.ID || second.ID == card.ID {
		t.Errorf("Register in another wallet: got %+v, error %v, want a card of customer %s", second, err, person.ID)
	}
	if n := env.count(t, "SELECT count(*) FROM customer"); n != 1 {
		t.Errorf("customers: got %d, want 1", n)
	}
}

func TestRegisterRefuses(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	other := env.other(t)
	other.walletOf(t, ledger.NewCardType{Code: "theirs", WalletKey: new("their-wallet-1")})
	env.walletOf(t, ledger.NewCardType{Code: "born", WalletKey: new("birth-wallet-1"), BirthdateRequired: true})
	env.walletOf(t, ledger.NewCardType{Code: "old", WalletKey: new("old-wallet-1")})
	if _, err := env.ledger.CardTypeUpdate(t.Context(), env.who, "old", ledger.CardTypeChange{Archived: new(true)}); err != nil {
		t.Fatal(err)
	}
	member := func(name, phone string) *company.Staff {
		m, err := env.staff.StaffCreate(t.Context(), env.who, company.NewStaff{
			Name: name, Phone: phone, Role: company.Cashier, StoreName: "Centro", Password: "secret " + name,
		})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	gone, stranger := member("Cid", "5500000001"), member("Bea", "5500000002")
	if _, err := env.staff.StaffArchive(t.Context(), env.who, &gone.Number, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := env.staff.StaffRightSet(t.Context(), env.who, stranger.Number, "wallet", company.Rights{Removed: true}); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		change  func(*customer.Contact)
		refusal loyalty.Code
		field   string
	}{
		"nine digits":              {func(c *customer.Contact) { c.Phone = "551234567" }, loyalty.CodeInvalid, "phone"},
		"digits of another script": {func(c *customer.Contact) { c.Phone = "５５12345" }, loyalty.CodeInvalid, "phone"},
		"no name":                  {func(c *customer.Contact) { c.Name = " " }, loyalty.CodeRequired, "name"},
		"long name":                {func(c *customer.Contact) { c.Name = strings.Repeat("x", 201) }, loyalty.CodeTooLong, "name"},
		"name with NUL":            {func(c *customer.Contact) { c.Name = "a\x00" }, loyalty.CodeInvalid, "name"},
		"unknown wallet":           {func(c *customer.Contact) { c.WalletKey = "wallet-key-9" }, loyalty.CodeCardTypeNotFound, "walletKey"},
		"wallet that is no text":   {func(c *customer.Contact) { c.WalletKey = "\xff\x00" }, loyalty.CodeCardTypeNotFound, "walletKey"},
		"another company's wallet": {func(c *customer.Contact) { c.WalletKey = "their-wallet-1" }, loyalty.CodeCardTypeNotFound, "walletKey"},
		"archived wallet":          {func(c *customer.Contact) { c.WalletKey = "old-wallet-1" }, loyalty.CodeCardTypeArchived, "walletKey"},
		"unknown staff":            {func(c *customer.Contact) { c.StaffNumber = new(int64(1)) }, loyalty.CodeStaffNotFound, "staffNumber"},
		"archived staff":           {func(c *customer.Contact) { c.StaffNumber = &gone.Number }, loyalty.CodeStaffArchived, "staffNumber"},
		"staff without permission": {func(c *customer.Contact) { c.StaffNumber = &stranger.Number }, loyalty.CodeStaffNoPermission, "staffNumber"},
		"no birthdate":             {func(c *customer.Contact) { c.WalletKey = "birth-wallet-1" }, loyalty.CodeBirthdateRequired, "birthdate"},
		"born tomorrow":            {func(c *customer.Contact) { c.Birthdate = day("2026-03-02") }, loyalty.CodeInvalid, "birthdate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := contact()
			tt.change(&in)
			_, _, err := env.customers.Register(t.Context(), env.who, in)
			wantRefusal(t, err, tt.refusal, tt.field)
		})
	}
}

// Eight tills register one phone in two wallets at once: one contact in each, one
// person.
func TestRegisterAtOnce(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.walletOf(t, ledger.NewCardType{Code: "second", WalletKey: new("wallet-key-2")})
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		in := contact()
		in.WalletKey = []string{"wallet-key-1", "wallet-key-2"}[i%2]
		wg.Go(func() { _, _, errs[i] = env.customers.Register(t.Context(), env.who, in) })
	}
	wg.Wait()

	made := 0
	for i, err := range errs {
		switch loyalty.CodeOf(err) {
		case loyalty.CodeContactExists, loyalty.CodeContactRace:
		case "":
			if made++; err != nil {
				t.Errorf("Register %d: %v", i, err)
			}
		default:
			t.Errorf("Register %d: %v", i, err)
		}
	}
	if made != 2 {
		t.Errorf("8 registrations of one phone in two wallets: %d succeeded, want 2", made)
	}
	if cards, people := env.count(t, "SELECT count(*) FROM card"), env.count(t, "SELECT count(*) FROM customer"); cards != 2 || people != 1 {
		t.Errorf("got %d contacts and %d customers, want 2 and 1", cards, people)
	}
}
