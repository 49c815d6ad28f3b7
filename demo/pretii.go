package demo

import (
	"context"

	"github.com/govalues/decimal"

	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/customer"
	"sello/loyalty/points"
)

// Pretii is what the demo has for Pretii's clients beside a token: a customer with
// points, and the code of a store.
type Pretii struct {
	CustomerEmail, CustomerQR string
	Store                     string
}

const (
	demoEmail = "lucia.rojas@correo.example"
	demoStore = "CENTRO"
)

// pretii makes the customer, with some points, where they are not there yet. What somebody
// has done to them since, such as blocking them, stays.
func (s Services) pretii(ctx context.Context, who auth.Principal) (Pretii, error) {
	person, err := s.Customers.ByEmail(ctx, who.CompanyID, demoEmail)
	if err == nil && person == nil {
		var made points.Enrolled
		made, err = s.Points.Enrol(ctx, who, customer.Fields{FirstName: "Lucía", LastName: "Rojas", Email: demoEmail, Phone: "5511122233", Document: "MX7011223"}, "demo")
		person = made.Customer
	}
	if err != nil || person == nil {
		return Pretii{}, unlessRefused(err)
	}
	_, err = s.Points.Assign(ctx, who, points.Change{
		CustomerID: person.ID, Points: new(decimal.MustParse("120")), Reference: "DEMO-1", Description: "Bienvenida", StoreCode: demoStore, Source: "demo",
	})
	return Pretii{CustomerEmail: demoEmail, CustomerQR: person.QrCode, Store: demoStore}, unlessRefused(err)
}

func unlessRefused(err error) error {
	if loyalty.CodeOf(err) != "" {
		return nil
	}
	return err
}
