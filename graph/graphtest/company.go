package graphtest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/loyalty/auth"
	"sello/loyalty/company"
	"sello/loyalty/customer"
	"sello/loyalty/imports"
	"sello/loyalty/ledger"
	"sello/loyalty/phone"
	"sello/loyalty/plan"
	"sello/loyalty/webhook"
)

// Password is that of every operator and staff member that a fixture makes
// (staff passwords are unique: theirs has their number behind it).
const Password = "correct horse battery"

// Company is one tenant of an Env and its credentials.
type Company struct {
	*Env
	ID   uuid.UUID
	Code string
	// System is the program acting for the company.
	System auth.Principal
	// Key is an API key with every scope of a company.
	Key string
	// Email is that of an operator with every scope of a company.
	Email string
	// What Fill made, named by the company so that two never share a text.
	Names Names
}

// Names are what a filled company is found by.
type Names struct {
	Store, Wallet, WalletKey, Programme string
	Staff                               []int64
	Customers                           []*customer.Customer
	// Cards are of the programme, one a customer, Contacts of the wallet.
	Cards    []*ledger.Card
	Contacts []*ledger.Card
	// Lot names the serial codes that FillRewards made.
	Lot string
	// Phones are the contacts' national numbers.
	Phones []string
}

// Company sets a company up with an operator and an API key, empty otherwise.
func (e *Env) Company(tb testing.TB, code string) *Company {
	tb.Helper()
	made, err := e.Resolver.Companies.Create(tb.Context(), company.NewCompany{
		Code: code, Name: "Company " + code, TimeZone: "America/Mexico_City", Language: "es", Currency: "MXN", PhonePrefix: "+52",
	})
	if err != nil {
		tb.Fatalf("graphtest: create a company: %v", err)
	}
	c := &Company{Env: e, ID: made.ID, Code: code, System: auth.System(made.ID), Email: "boss@" + code + ".example"}
	c.Key = c.KeyWith(tb, auth.CompanyScopes()...)
	c.Operator(tb, c.Email, auth.CompanyScopes()...)
	return c
}

// KeyWith makes an API key with exactly these scopes.
func (c *Company) KeyWith(tb testing.TB, scopes ...auth.Scope) string {
	tb.Helper()
	_, secret, err := c.Auth.KeyCreate(tb.Context(), c.System, auth.KeyInput{Kind: auth.KeyServer, Name: "fixture", Scopes: scopes})
	if err != nil {
		tb.Fatalf("graphtest: create a key: %v", err)
	}
	return secret
}

// Operator adds an operator who signs in with Password.
func (c *Company) Operator(tb testing.TB, email string, scopes ...auth.Scope) {
	tb.Helper()
	_, err := c.Auth.OperatorCreate(tb.Context(), c.System, auth.OperatorInput{
		Email: email, Name: "Operator", Password: Password, Scopes: scopes,
	})
	if err != nil {
		tb.Fatalf("graphtest: create an operator: %v", err)
	}
}

// SignIn signs the company's operator in and answers the access token.
func (c *Company) SignIn(tb testing.TB) string {
	tb.Helper()
	session, err := c.Auth.SignIn(tb.Context(), auth.Credentials{Company: c.Code, Email: c.Email, Password: Password})
	if err != nil {
		tb.Fatalf("graphtest: sign in: %v", err)
	}
	return session.AccessToken
}

// Fill makes a store, a wallet (10 %, two decimals) and a points programme (one
// point for each ten spent, whole points, the one that imports assign to), two
// staff members, and customers: each with a card of the programme and one of the
// wallet, with three movements on either.
func (c *Company) Fill(tb testing.TB, customers int) {
	tb.Helper()
	n := &c.Names
	n.Store, n.Wallet, n.Programme = c.Code+"-centro", c.Code+"-wallet", c.Code+"-points"
	n.WalletKey = "mk_" + c.Code + "_0001"
	must := func(_ any, err error) {
		tb.Helper()
		if err != nil {
			tb.Fatalf("graphtest: fill a company: %v", err)
		}
	}
	ctx := tb.Context()
	must(c.Resolver.Companies.StoreCreate(ctx, c.System, n.Store, "Centro of "+c.Code))
	must(c.Resolver.Ledger.CardTypeCreate(ctx, c.System, ledger.NewCardType{
		Code: n.Wallet, Name: "Wallet of " + c.Code, Unit: ledger.Points, Scale: 2, WalletKey: &n.WalletKey,
		Percentage: new(decimal.MustParse("10")), Rechargeable: true,
	}))
	must(c.Resolver.Ledger.CardTypeCreate(ctx, c.System, ledger.NewCardType{
		Code: n.Programme, Name: "Points of " + c.Code, Unit: ledger.Points, Ratio: &ledger.Ratio{Points: decimal.One, Amount: decimal.Ten},
	}))
	c.Exec(tb, `INSERT INTO company_setting (company_id, name, value, updated_at) VALUES ($1, $2, to_jsonb($3::text), $4)`,
		c.ID, imports.PointsCardTypeSetting, n.Programme, c.Clock.Now())
	for i := range 2 {
		m, err := c.Resolver.Companies.StaffCreate(ctx, c.System, company.NewStaff{
			Name: fmt.Sprintf("Staff %s %d", c.Code, i), Phone: fmt.Sprintf("55100000%02d", i), Role: company.Cashier,
			StoreCode: n.Store, Password: fmt.Sprintf("%s %d", Password, i),
		})
		must(nil, err)
		n.Staff = append(n.Staff, m.Number)
	}
	for i := range customers {
		c.addCustomer(tb, i)
	}
}

func (c *Company) addCustomer(tb testing.TB, i int) {
	tb.Helper()
	n, ctx := &c.Names, tb.Context()
	phone := fmt.Sprintf("5520%06d", i)
	person, err := c.Resolver.Customers.Create(ctx, c.System, customer.Fields{
		Code: fmt.Sprintf("%s-customer-%d", c.Code, i), FirstName: fmt.Sprintf("María%d", i), LastName: "Núñez " + c.Code, Phone: phone,
		Email: fmt.Sprintf("maria%d@%s.example", i, c.Code), Document: fmt.Sprintf("%s-%04d", c.Code, i),
	})
	if err != nil {
		tb.Fatalf("graphtest: create a customer: %v", err)
	}
	card, err := c.Resolver.Ledger.CardCreate(ctx, c.System, ledger.NewCard{
		CardTypeCode: n.Programme, Code: fmt.Sprintf("%s-card-%d", c.Code, i), CustomerID: &person.ID,
	})
	if err != nil {
		tb.Fatalf("graphtest: create a card: %v", err)
	}
	contact, _, err := c.Resolver.Customers.Register(ctx, c.System, customer.Contact{WalletKey: n.WalletKey, Phone: phone, Name: "María " + c.Code})
	if err != nil {
		tb.Fatalf("graphtest: register a contact: %v", err)
	}
	for k := range 3 {
		c.Post(tb, card.Code, int64(k+1))
		c.Post(tb, contact.Code, int64(k+1))
	}
	n.Customers, n.Cards = append(n.Customers, person), append(n.Cards, card)
	n.Contacts, n.Phones = append(n.Contacts, contact), append(n.Phones, phone)
}

// Post gives points on a card at the company's store; on a wallet's card it is
// its staff who do.
func (c *Company) Post(tb testing.TB, card string, points int64) *ledger.Movement {
	tb.Helper()
	posting := ledger.Posting{
		Card: ledger.CardRef{Code: card}, Action: ledger.Adjust, Amount: new(decimal.MustNew(points, 0)), Source: "graphql",
	}
	if c.Names.Store != "" {
		posting.StoreCode = c.Names.Store
	}
	if c.Names.Wallet != "" && strings.HasPrefix(card, c.Names.Wallet) {
		posting.StaffNumber = &c.Names.Staff[points%int64(len(c.Names.Staff))]
	}
	posted, err := c.Resolver.Ledger.Post(tb.Context(), c.System, posting)
	if err != nil {
		tb.Fatalf("graphtest: post: %v", err)
	}
	return posted.Movement
}

// ImportHeader begins the files that Import takes.
const ImportHeader = "nombres,apellidos,email,documento_de_identidad,puntos\n"

// Import uploads a file of rows and queues it; nothing works it yet.
func (c *Company) Import(tb testing.TB, name string, rows ...string) *imports.Import {
	tb.Helper()
	imp, repeated, err := c.Resolver.Imports.Upload(tb.Context(), c.System, imports.Upload{
		FileName: name, Recipient: c.Email, Body: strings.NewReader(ImportHeader + strings.Join(rows, "\n") + "\n"),
	})
	if err == nil && repeated {
		err = errors.New("the same rows were imported before")
	}
	if err != nil {
		tb.Fatalf("graphtest: upload: %v", err)
	}
	return imp
}

// Webhook makes a webhook that leads nowhere, with a delivery that waits.
func (c *Company) Webhook(tb testing.TB) (*webhook.Webhook, *webhook.Delivery) {
	tb.Helper()
	url, description := "http://127.0.0.1:1/"+c.Code, "Webhook of "+c.Code
	w, _, err := c.Resolver.Webhooks.Create(tb.Context(), c.System, webhook.Input{URL: &url, Description: &description})
	if err != nil {
		tb.Fatalf("graphtest: create a webhook: %v", err)
	}
	d, err := c.Resolver.Webhooks.Test(tb.Context(), c.System, w.ID)
	if err != nil {
		tb.Fatalf("graphtest: test a webhook: %v", err)
	}
	return w, d
}

// Serve sends what a webhook has to be sent now, without the job that does it in
// production. It comes to the company's last event, even where other tests'
// transactions keep events from being settled for a while.
func (c *Company) Serve(tb testing.TB, id uuid.UUID) {
	tb.Helper()
	for behind := 1; behind > 0; {
		if _, err := c.Resolver.Webhooks.Deliver(tb.Context(), c.ID, id, webhook.Run{}); err != nil {
			tb.Fatalf("graphtest: serve a webhook: %v", err)
		}
		behind = c.Count(tb, `SELECT count(*) FROM webhook WHERE id = $1 AND (replay_upto_id IS NOT NULL
			OR cursor_id < (SELECT coalesce(max(id), 0) FROM event WHERE company_id = $2))`, id, c.ID)
	}
}

// Apply takes an import to its end, without the job that does it in production.
func (c *Company) Apply(tb testing.TB, id uuid.UUID) {
	tb.Helper()
	for {
		done, err := c.Resolver.Imports.ApplyStep(tb.Context(), c.ID, id)
		if err != nil {
			tb.Fatalf("graphtest: apply an import: %v", err)
		}
		if done {
			return
		}
	}
}

// FillPlan gives the company a plan with a period behind it, prepaid messages, a
// blocked phone and a range of numbers; nothing of it stands in anybody's way.
func (c *Company) FillPlan(tb testing.TB) {
	tb.Helper()
	ctx := tb.Context()
	must := func(_ any, err error) {
		tb.Helper()
		if err != nil {
			tb.Fatalf("graphtest: fill a plan: %v", err)
		}
	}
	must(c.Resolver.Plans.Set(ctx, c.System, plan.Change{}))
	c.Exec(tb, `INSERT INTO plan_period (company_id, starts_on, ends_on, redemptions_used, ended_at) VALUES ($1, '2025-12-01', '2026-01-01', 3, $2)`,
		c.ID, c.Clock.Now())
	_, _, err := c.Resolver.Plans.TopUp(ctx, c.System, plan.Money{Amount: decimal.Ten, Reference: "receipt of " + c.Code})
	must(nil, err)
	must(c.Resolver.Phones.Block(ctx, c.System, []string{"5500000007"}, "asked by "+c.Code))
	must(c.Resolver.Phones.RangesLoad(ctx, c.System, []phone.Range{{First: "1000000000", Last: "1000000009", Line: phone.Landline}}, false))
}
