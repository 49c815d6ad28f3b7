package demo

import (
	"context"
	"errors"

	"github.com/govalues/decimal"

	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/catalog"
	"sello/loyalty/reward"
)

// AntCRM is what the demo has for AntCRM's clients: serial codes that can be turned
// into points, and a gift to exchange them for. Its texts have no spaces: shells read
// the file that they are written to.
type AntCRM struct {
	// Codes are three that are unused at this start.
	Codes                    []string
	ProductCode, ProductName string
	ProductScore             decimal.Decimal
	GiftCode, GiftName       string
	GiftScore                decimal.Decimal
}

const (
	demoProduct = "CAFETERA01"
	demoGift    = "TAZA01"
	// demoCodes are made at a time, shownCodes of them named.
	demoCodes  = 50
	shownCodes = 3
)

// antCRM makes the product, its codes and the gift where they are not there yet, and
// more codes where fewer are unused than are named.
func (s Services) antCRM(ctx context.Context, who auth.Principal) (AntCRM, error) {
	p, err := s.Catalog.ProductByCode(ctx, who.CompanyID, demoProduct)
	if err == nil && p == nil {
		p, err = s.Catalog.ProductCreate(ctx, who, catalog.NewProduct{Code: demoProduct, Name: "Cafetera", SerialPrefix: "CAFE", Score: decimal.Hundred})
	}
	if err != nil {
		return AntCRM{}, err
	}
	g, err := s.Rewards.ByCode(ctx, who.CompanyID, demoGift)
	if err == nil && g == nil {
		g, err = s.Rewards.Create(ctx, who, reward.NewReward{Code: demoGift, Name: "Taza", CardTypeCode: pointsType, Price: decimal.Ten})
	}
	if err != nil {
		return AntCRM{}, err
	}
	a := AntCRM{
		ProductCode: p.Code, ProductName: p.Name, ProductScore: p.Score.Trim(0), GiftCode: g.Code, GiftName: g.Name, GiftScore: g.Price.Trim(0),
	}
	for range 2 {
		unused, _, err := s.Catalog.Codes(ctx, who.CompanyID, catalog.CodeFilter{Status: new(catalog.CodeUnused), ProductCode: new(demoProduct)}, nil, shownCodes)
		if err != nil {
			return AntCRM{}, err
		}
		if len(unused) == shownCodes {
			for _, c := range unused {
				a.Codes = append(a.Codes, c.ProductCode.Code)
			}
			return a, nil
		}
		if _, err := s.Catalog.Generate(ctx, who, catalog.NewCodes{ProductCode: demoProduct, Count: demoCodes}); err != nil && loyalty.CodeOf(err) != loyalty.CodeTaken {
			return AntCRM{}, err
		}
	}
	return AntCRM{}, errors.New("the demo's serial codes were made and are not there")
}
