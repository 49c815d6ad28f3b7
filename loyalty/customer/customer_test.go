package customer_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sello/loyalty"
	"sello/loyalty/customer"
)

func day(text string) *time.Time {
	d, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return &d
}

func TestCreateKeepsCleanedFields(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	c := env.create(t, customer.Fields{
		FirstName: " José ", LastName: " Muñoz", Email: " Jose@Example.COM", Phone: "55 1234-5678", Document: " Ab.1 ",
		Birthdate: day("2026-03-01"), Attributes: json.RawMessage(`{"size": "M"}`), // today in the company's zone
	})
	got := strings.Join([]string{c.FirstName, *c.LastName, *c.Email, *c.Phone, *c.Document, *c.DocumentKey, c.NameKey, string(c.AttributesJSON())}, "|")
	if want := `José|Muñoz|jose@example.com|+525512345678|Ab.1|ab.1|jose munoz|{"size": "M"}`; got != want {
		t.Errorf("created: got %s, want %s", got, want)
	}
	if !strings.HasPrefix(c.QrCode, "PRT-") || len(c.QrCode) != 24 {
		t.Errorf("QR text: got %q", c.QrCode)
	}
	for name, read := range map[string]func() (*customer.Customer, error){
		"ByID": func() (*customer.Customer, error) { return env.customers.ByID(t.Context(), env.company, c.ID) },
		"ByEmail": func() (*customer.Customer, error) {
			return env.customers.ByEmail(t.Context(), env.company, "JOSE@example.com ")
		},
		"ByDocument": func() (*customer.Customer, error) { return env.customers.ByDocument(t.Context(), env.company, "AB.1") },
		"ByQRCode":   func() (*customer.Customer, error) { return env.customers.ByQRCode(t.Context(), env.company, c.QrCode) },
		"ByPhone": func() (*customer.Customer, error) {
			return env.customers.ByPhone(t.Context(), env.company, "5512345678")
		},
	} {
		if got, err := read(); err != nil || got == nil || got.ID != c.ID {
			t.Errorf("%s: got %v, error %v", name, got, err)
		}
	}
	other := env.other(t)
	if got, err := other.customers.ByID(t.Context(), other.company, c.ID); got != nil || err != nil {
		t.Errorf("ByID of another company's customer: got %v, error %v", got, err)
	}
	if got, err := env.customers.ByQRCode(t.Context(), env.company, "a\x00"); got != nil || err != nil {
		t.Errorf("ByQRCode of what no code can be: got %v, error %v", got, err)
	}
}

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.create(t, customer.Fields{FirstName: "Ana", Email: "ana@example.com", Document: "DNI-1"})
	for name, tt := range map[string]struct {
		in      customer.Fields
		refusal loyalty.Code
		field   string
	}{
		"no name":                       {customer.Fields{FirstName: "  "}, loyalty.CodeRequired, "firstName"},
		"long name":                     {customer.Fields{FirstName: strings.Repeat("ñ", 201)}, loyalty.CodeTooLong, "firstName"},
		"name with NUL":                 {customer.Fields{FirstName: "a\x00"}, loyalty.CodeInvalid, "firstName"},
		"long last name":                {customer.Fields{FirstName: "A", LastName: strings.Repeat("ñ", 121)}, loyalty.CodeTooLong, "lastName"},
		"e-mail in use":                 {customer.Fields{FirstName: "A", Email: "ANA@example.com"}, loyalty.CodeTaken, "email"},
		"no e-mail":                     {customer.Fields{FirstName: "A", Email: "ana@"}, loyalty.CodeInvalid, "email"},
		"document in use":               {customer.Fields{FirstName: "A", Document: "dni-1"}, loyalty.CodeTaken, "document"},
		"short document":                {customer.Fields{FirstName: "A", Document: "12"}, loyalty.CodeInvalid, "document"},
		"phone with letters":            {customer.Fields{FirstName: "A", Phone: "55x2345678"}, loyalty.CodeInvalid, "phone"},
		"short phone":                   {customer.Fields{FirstName: "A", Phone: "12345"}, loyalty.CodeInvalid, "phone"},
		"born tomorrow":                 {customer.Fields{FirstName: "A", Birthdate: day("2026-03-02")}, loyalty.CodeInvalid, "birthdate"},
		"born too long ago":             {customer.Fields{FirstName: "A", Birthdate: day("1899-12-31")}, loyalty.CodeInvalid, "birthdate"},
		"attributes that are a list":    {customer.Fields{FirstName: "A", Attributes: json.RawMessage(`[]`)}, loyalty.CodeInvalid, "attributes"},
		"attributes with NUL":           {customer.Fields{FirstName: "A", Attributes: json.RawMessage(`{"a":"\u0000"}`)}, loyalty.CodeInvalid, "attributes"},
		"attributes with half a pair":   {customer.Fields{FirstName: "A", Attributes: json.RawMessage(`{"a":"\ud800"}`)}, loyalty.CodeInvalid, "attributes"},
		"attributes with a huge figure": {customer.Fields{FirstName: "A", Attributes: json.RawMessage(`{"a":1e999999}`)}, loyalty.CodeInvalid, "attributes"},
		"long attributes":               {customer.Fields{FirstName: "A", Attributes: json.RawMessage(`{"a":"` + strings.Repeat("x", 8<<10) + `"}`)}, loyalty.CodeInvalid, "attributes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := env.customers.Create(t.Context(), env.who, tt.in)
			wantRefusal(t, err, tt.refusal, tt.field)
		})
	}
}

func TestUpdateChangesWhatIsGiven(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.create(t, customer.Fields{FirstName: "Other", Email: "other@example.com"})
	c := env.create(t, customer.Fields{FirstName: "Ana", LastName: "Quispe", Email: "ana@example.com", Birthdate: day("1990-05-01")})

	got, err := env.customers.Update(t.Context(), env.who, c.ID, customer.Change{LastName: new("Muñoz"), Email: new("")})
	if err != nil {
		t.Fatalf("Update: %v", err)
	}
	if got.FirstName != "Ana" || *got.LastName != "Muñoz" || got.Email != nil || got.NameKey != "ana munoz" || got.Birthdate == nil {
		t.Errorf("updated: got %q %q, e-mail %v, key %q, born %v", got.FirstName, *got.LastName, got.Email, got.NameKey, got.Birthdate)
	}
	if names := env.found(t, "munoz"); len(names) != 1 {
		t.Errorf("Search by the new name: got %v", names)
	}
	if names := env.found(t, "quispe"); len(names) != 0 {
		t.Errorf("Search by the old name: got %v", names)
	}
	if got, err = env.customers.Update(t.Context(), env.who, c.ID, customer.Change{SetBirthdate: true}); err != nil || got.Birthdate != nil {
		t.Errorf("Update takes the birthdate away: got %v, error %v", got.Birthdate, err)
	}
	_, err = env.customers.Update(t.Context(), env.who, c.ID, customer.Change{Email: new("Other@example.com")})
	wantRefusal(t, err, loyalty.CodeTaken, "email")
	other := env.other(t)
	_, err = other.customers.Update(t.Context(), other.who, c.ID, customer.Change{FirstName: new("X")})
	wantRefusal(t, err, loyalty.CodeCustomerNotFound, "id")
}
