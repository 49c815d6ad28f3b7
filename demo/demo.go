// Package demo fills a database with two small companies that look alive, for
// `sello dev`: names, phones and purchases of the region, through the same
// operations that everybody else calls.
package demo

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"time"

	"github.com/govalues/decimal"
	"golang.org/x/sync/errgroup"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/catalog"
	"sello/loyalty/company"
	"sello/loyalty/customer"
	"sello/loyalty/ledger"
	"sello/loyalty/phone"
	"sello/loyalty/plan"
	"sello/loyalty/points"
	"sello/loyalty/reward"
)

// Codes of the demo companies, and of what is in the main one.
const (
	MainCompany   = "la-esquina"
	secondCompany = "mercado-verde"
	walletKey     = "mk_esquina_7f3b2a9d"
	pointsType    = "puntos"
)

// Sizes of the main company (design.md 10: alive, and made in seconds).
const (
	customersTotal = 2200
	movementsTotal = 6000
	workers        = 8
	// After so many the tables are analyzed (db.Store.Analyze).
	enoughToAnalyze = 200
)

// Services are the operations that the demo calls.
type Services struct {
	DB        *db.Store
	Auth      *auth.Service
	Company   *company.Service
	Customers *customer.Service
	Ledger    *ledger.Service
	Catalog   *catalog.Service
	Rewards   *reward.Service
	Plans     *plan.Service
	Phones    *phone.Service
	Points    *points.Service
	Now       func() time.Time
}

// Credentials are how to come in; they are made once and kept by the caller,
// since the database holds only their hashes.
type Credentials struct {
	Company, OperatorEmail, OperatorPassword string
	WalletAPIKey, WalletKey                  string
	WalletUserToolID                         int64
	AntCRMAPIKey                             string
	AntCRM                                   AntCRM
	PretiiToken                              string
	Pretii                                   Pretii
	ServerAPIKey                             string
	SecondCompanyAPIKey                      string
}

// Seed makes the demo companies where they are not there yet, and returns their
// credentials: the known ones as long as they open the door, new ones otherwise.
func Seed(ctx context.Context, s Services, known *Credentials) (*Credentials, error) {
	main, created, err := s.company(ctx, company.NewCompany{
		Code: MainCompany, Name: "Café La Esquina", TimeZone: "America/Mexico_City", Language: "es", Currency: "MXN", PhonePrefix: "+52",
	})
	if err != nil {
		return nil, err
	}
	second, fresh, err := s.company(ctx, company.NewCompany{
		Code: secondCompany, Name: "Mercado Verde", TimeZone: "America/Sao_Paulo", Language: "pt", Currency: "BRL", PhonePrefix: "+55",
	})
	if err != nil {
		return nil, err
	}
	if created {
		if err := s.fillMain(ctx, auth.System(main.ID)); err != nil {
			return nil, fmt.Errorf("fill the demo company: %w", err)
		}
	}
	if err := s.walletPlan(ctx, auth.System(main.ID)); err != nil {
		return nil, fmt.Errorf("give the demo company a plan: %w", err)
	}
	if fresh {
		if err := s.fillSecond(ctx, auth.System(second.ID)); err != nil {
			return nil, fmt.Errorf("fill the second demo company: %w", err)
		}
	}
	c := known
	if known == nil || !s.opens(ctx, known) {
		if c, err = s.credentials(ctx, auth.System(main.ID), auth.System(second.ID)); err != nil {
			return nil, err
		}
	}
	if c.AntCRM, err = s.antCRM(ctx, auth.System(main.ID)); err != nil {
		return nil, fmt.Errorf("make codes and gifts of the demo: %w", err)
	}
	if c.Pretii, err = s.pretii(ctx, auth.System(main.ID)); err != nil {
		return nil, fmt.Errorf("make a customer of the demo: %w", err)
	}
	return c, nil
}

func (s Services) company(ctx context.Context, in company.NewCompany) (*company.Company, bool, error) {
	created, err := s.Company.Create(ctx, in)
	if loyalty.CodeOf(err) != loyalty.CodeTaken {
		return created, err == nil, err
	}
	row, err := s.DB.CompanyByCode(ctx, in.Code)
	if err != nil {
		return nil, false, fmt.Errorf("read a demo company: %w", err)
	}
	return &company.Company{Company: row}, false, nil
}

// opens reports whether the known credentials still work.
func (s Services) opens(ctx context.Context, c *Credentials) bool {
	for _, key := range []string{c.WalletAPIKey, c.AntCRMAPIKey, c.PretiiToken, c.ServerAPIKey, c.SecondCompanyAPIKey} {
		if _, err := s.Auth.KeyAuthenticate(ctx, key); err != nil {
			return false
		}
	}
	_, err := s.Auth.SignIn(ctx, auth.Credentials{Company: c.Company, Email: c.OperatorEmail, Password: c.OperatorPassword})
	return err == nil
}

// credentials makes an operator and a key of each kind.
func (s Services) credentials(ctx context.Context, main, second auth.Principal) (*Credentials, error) {
	c := &Credentials{Company: MainCompany, OperatorEmail: "operador@laesquina.example", WalletKey: walletKey}
	var err error
	if c.OperatorPassword, err = s.operator(ctx, main, c.OperatorEmail); err != nil {
		return nil, err
	}
	staff, _, err := s.Company.StaffMembers(ctx, main.CompanyID, -1, 1)
	if err != nil {
		return nil, err
	}
	c.WalletUserToolID = staff[0].Number
	for _, k := range []struct {
		into *string
		who  auth.Principal
		in   auth.KeyInput
	}{
		{&c.WalletAPIKey, main, auth.KeyInput{Kind: auth.KeyWallet, Name: "Cajas (demo)"}},
		{&c.AntCRMAPIKey, main, auth.KeyInput{Kind: auth.KeyAntCRM, Name: "AntCRM (demo)"}},
		{&c.PretiiToken, main, auth.KeyInput{Kind: auth.KeyPretii, Name: "Pretii (demo)", ContactEmail: c.OperatorEmail}},
		{&c.ServerAPIKey, main, auth.KeyInput{Kind: auth.KeyServer, Name: "Servidor (demo)", Scopes: auth.CompanyScopes()}},
		{&c.SecondCompanyAPIKey, second, auth.KeyInput{Kind: auth.KeyWallet, Name: "Caixas (demo)"}},
	} {
		if _, *k.into, err = s.Auth.KeyCreate(ctx, k.who, k.in); err != nil {
			return nil, fmt.Errorf("make a demo key: %w", err)
		}
	}
	return c, nil
}

// operator makes the demo operator, or gives it a new password.
func (s Services) operator(ctx context.Context, who auth.Principal, email string) (string, error) {
	password := secret("demo-", 9)
	// The one operator of a private machine also sees all queues.
	_, err := s.Auth.OperatorCreate(ctx, who, auth.OperatorInput{
		Email: email, Name: "Operadora Demo", Password: password, Scopes: auth.Scopes(),
	})
	if loyalty.CodeOf(err) != loyalty.CodeTaken {
		return password, err
	}
	operators, err := s.Auth.OperatorList(ctx, who.CompanyID, nil, 100)
	if err != nil {
		return "", err
	}
	at := slices.IndexFunc(operators, func(o auth.Operator) bool { return o.Email == email })
	if at < 0 {
		return "", errors.New("the demo operator's e-mail is taken and not to be found")
	}
	_, err = s.Auth.OperatorPasswordSet(ctx, who, operators[at].ID, password)
	return password, err
}

func secret(prefix string, bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return prefix + hex.EncodeToString(b)
}

func (s Services) fillMain(ctx context.Context, who auth.Principal) error {
	for _, st := range [][2]string{{"CENTRO", "Sucursal Centro"}, {"NORTE", "Sucursal Norte"}, {"PLAZA", "Plaza Mayor"}} {
		if _, err := s.Company.StoreCreate(ctx, who, st[0], st[1]); err != nil {
			return err
		}
	}
	if err := s.cardTypes(ctx, who); err != nil {
		return err
	}
	var staff []int64
	for i, m := range []company.NewStaff{
		{Name: "Ana Torres", Role: company.Cashier, StoreCode: "CENTRO"},
		{Name: "Benito Ruiz", Role: company.Manager, StoreCode: "CENTRO"},
		{Name: "Carla Díaz", Role: company.Cashier, StoreCode: "NORTE"},
		{Name: "Diego Peña", Role: company.Cashier, StoreCode: "PLAZA"},
	} {
		m.Phone, m.Password = fmt.Sprintf("477111%04d", i+1), secret("", 6)
		member, err := s.Company.StaffCreate(ctx, who, m)
		if err != nil {
			return err
		}
		staff = append(staff, member.Number)
	}
	people, err := s.people(ctx, who)
	if err != nil {
		return err
	}
	return s.movements(ctx, who, people, staff)
}

func (s Services) cardTypes(ctx context.Context, who auth.Principal) error {
	ten, one, oneEach, tenSpent := decimal.MustParse("10"), decimal.MustParse("2.5"), decimal.One, decimal.Ten
	for _, t := range []ledger.NewCardType{
		{
			Code: "esquina", Name: "Monedero La Esquina", Unit: ledger.Points, Scale: 2, WalletKey: new(walletKey), Percentage: &ten,
			NotifyWelcome: true, NotifySale: true, NotifyAdjustment: true, Rechargeable: true,
			CustomerURL: "https://app.example.com/m/7f3b2a9d", RedeemURL: "https://app.example.com/canje/7f3b2a9d",
		},
		{
			Code: "cumple", Name: "Monedero Cumpleaños", Unit: ledger.Points, Scale: 2, WalletKey: new("mk_cumple_2e9d6a17"),
			Percentage: &one, BirthdateRequired: true, Rechargeable: true,
		},
		{Code: pointsType, Name: "Puntos", Unit: ledger.Points, Ratio: &ledger.Ratio{Points: oneEach, Amount: tenSpent}},
	} {
		if _, err := s.Ledger.CardTypeCreate(ctx, who, t); err != nil {
			return err
		}
	}
	// The programme that imports of points post to (spec/pretii.md 5).
	_, err := s.Company.Update(ctx, who, company.Change{PointsCardTypeCode: new(pointsType)})
	return err
}

// card is one that the demo posts on: a wallet's contact, or a points card.
type card struct {
	ref   ledger.CardRef
	money bool
}

// people makes the customers: most are contacts of the wallet, the others have a
// points card.
func (s Services) people(ctx context.Context, who auth.Principal) ([]card, error) {
	cards := make([]card, customersTotal)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	for i := range customersTotal {
		if i == enoughToAnalyze {
			if err := s.DB.Analyze(ctx); err != nil {
				return nil, errors.Join(err, g.Wait())
			}
		}
		g.Go(func() error {
			rng := mathrand.New(mathrand.NewPCG(1, uint64(i)))
			first, last := pick(rng, firstNames), pick(rng, lastNames)+" "+pick(rng, lastNames)
			phone := fmt.Sprintf("%s%07d", areaCodes[i%len(areaCodes)], 2000000+i*37)
			born := time.Date(1950+rng.IntN(55), time.Month(1+rng.IntN(12)), 1+rng.IntN(28), 0, 0, 0, 0, time.UTC)
			if i%4 != 0 {
				cards[i] = card{ref: ledger.CardRef{WalletKey: walletKey, Phone: phone}, money: true}
				_, _, err := s.Customers.Register(ctx, who, customer.Contact{
					WalletKey: walletKey, Phone: phone, Name: first + " " + last, Birthdate: &born,
				})
				return err
			}
			c, err := s.Customers.Create(ctx, who, customer.Fields{
				FirstName: first, LastName: last, Phone: phone, Birthdate: &born,
				Email: fmt.Sprintf("%s.%d@correo.example", emailName(first, last), i), Document: fmt.Sprintf("MX%07d", 4100000+i),
				Attributes: json.RawMessage(`{"canal":"` + pick(rng, []string{"tienda", "web", "app"}) + `"}`),
			})
			if err != nil {
				return err
			}
			opened, err := s.Ledger.CardCreate(ctx, who, ledger.NewCard{CardTypeCode: pointsType, CustomerID: &c.ID})
			if err != nil {
				return err
			}
			cards[i] = card{ref: ledger.CardRef{Code: opened.Code}}
			return nil
		})
	}
	return cards, g.Wait()
}

// movements posts the sales of the last ninety days. Some customers come often;
// what they use never exceeds what they have, since a refusal is only passed over.
func (s Services) movements(ctx context.Context, who auth.Principal, cards []card, staff []int64) error {
	now := s.Now()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	for i := range movementsTotal {
		if i == enoughToAnalyze {
			if err := s.DB.Analyze(ctx); err != nil {
				return errors.Join(err, g.Wait())
			}
		}
		g.Go(func() error {
			rng := mathrand.New(mathrand.NewPCG(2, uint64(i)))
			// Drawn twice, so that the first customers are the regulars.
			at := rng.IntN(rng.IntN(len(cards)) + 1)
			c, basket := cards[at], baskets[rng.IntN(len(baskets))]
			spent, err := decimal.New(basket.cents, 2)
			if err != nil {
				return err
			}
			p := ledger.Posting{
				Card: c.ref, Action: ledger.Accrue, Spent: &spent, Source: "demo", Description: basket.text,
				Reference: fmt.Sprintf("T-%06d", i+1), At: now.Add(-time.Duration(movementsTotal-i) * 90 * 24 * time.Hour / movementsTotal),
			}
			if c.money {
				p.StaffNumber = &staff[rng.IntN(len(staff))]
			}
			if i > movementsTotal/3 && rng.IntN(6) == 0 {
				p.Action, p.Spent, p.Amount, p.Description = ledger.Redeem, nil, new(decimal.MustNew(-int64(5+rng.IntN(20)), 0)), "Canje en caja"
			}
			_, err = s.Ledger.Post(ctx, who, p)
			if loyalty.CodeOf(err) == loyalty.CodeInsufficientBalance {
				return nil
			}
			return err
		})
	}
	return g.Wait()
}

func (s Services) fillSecond(ctx context.Context, who auth.Principal) error {
	if _, err := s.Company.StoreCreate(ctx, who, "PAULISTA", "Loja Paulista"); err != nil {
		return err
	}
	five := decimal.MustParse("5")
	if _, err := s.Ledger.CardTypeCreate(ctx, who, ledger.NewCardType{
		Code: "verde", Name: "Carteira Verde", Unit: ledger.Points, Scale: 2, WalletKey: new("mk_verde_aa01c3d5"), Percentage: &five,
	}); err != nil {
		return err
	}
	if _, err := s.Company.StaffCreate(ctx, who, company.NewStaff{
		Name: "Paula Souza", Phone: "1199990001", Role: company.Cashier, StoreCode: "PAULISTA", Password: secret("", 6),
	}); err != nil {
		return err
	}
	_, _, err := s.Customers.Register(ctx, who, customer.Contact{WalletKey: "mk_verde_aa01c3d5", Phone: "1198880001", Name: "João Silva"})
	return err
}

func pick(rng *mathrand.Rand, from []string) string { return from[rng.IntN(len(from))] }

// emailName is the part of an address before its number.
func emailName(first, last string) string {
	key := loyalty.SearchKey(first + " " + last)
	name := []byte(key)
	for i, c := range name {
		if c == ' ' {
			name[i] = '.'
		}
	}
	return string(name)
}
