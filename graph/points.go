package graph

import (
	"context"
	"encoding/base64"
	"strings"

	"github.com/google/uuid"

	"sello/graph/model"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/customer"
	"sello/loyalty/points"
	"sello/loyalty/qr"
)

// pointsChange is a change of points with its person and what makes it repeatable: the
// reference, else a key. It refuses with CUSTOMER_NOT_FOUND and as postingKey does.
func pointsChange(ctx context.Context, who auth.Principal, person string, reference, key *string, hours *int, operation string, input any) (points.Change, error) {
	change := points.Change{Reference: strings.TrimSpace(or(reference, "")), Source: source(who)}
	id, ok := loyalty.ParseUUID("Customer", person)
	if !ok {
		return change, loyalty.Refuse(loyalty.CodeCustomerNotFound, "customerId")
	}
	change.CustomerID = id
	if change.Reference != "" {
		return change, nil
	}
	var err error
	change.Key, err = postingKey(ctx, who, operation, key, hours, input)
	return change, err
}

// changePoints makes a change and its payload; err is what was wrong before.
func (r *Resolver) changePoints(ctx context.Context, who auth.Principal, change points.Change, err error, do func(context.Context, auth.Principal, points.Change) (points.Changed, error)) (*model.PointsPayload, error) {
	var done points.Changed
	if err == nil {
		done, err = do(ctx, who, change)
	}
	refused, err := r.told(ctx, err)
	if err != nil {
		return nil, err
	}
	payload := &model.PointsPayload{Movement: done.Movement, Account: done.Account, Replayed: done.Replayed, UserErrors: refused}
	if done.StoreCode != "" {
		payload.StoreCode = &done.StoreCode
	}
	return payload, nil
}

// CustomersFound is customerSearch for a shim, which has words of its own for each
// argument that is wrong: it refuses as customer.Service.SearchPage does.
func (r *Resolver) CustomersFound(ctx context.Context, text string, page, size int) (*model.CustomerSearchPage, error) {
	who, err := auth.Require(ctx, auth.CustomersRead)
	if err != nil {
		return nil, err
	}
	return r.searchPage(ctx, who.CompanyID, text, page, size)
}

func (r *Resolver) searchPage(ctx context.Context, company uuid.UUID, text string, page, size int) (*model.CustomerSearchPage, error) {
	found, total, err := r.Customers.SearchPage(ctx, company, text, page, size)
	if err != nil {
		return nil, err
	}
	if found == nil {
		found = []*customer.Customer{}
	}
	return &model.CustomerSearchPage{Customers: found, Total: total}, nil
}

// dataURL is a picture as an address that holds it.
func dataURL(media string, content []byte) string {
	return "data:" + media + ";base64," + base64.StdEncoding.EncodeToString(content)
}

// CustomerQRImage is a picture of a customer's QR code, for the endpoint that serves it: who
// asks has the right to read customers. It refuses with CUSTOMER_NOT_FOUND and as
// qr.Draw does.
func (r *Resolver) CustomerQRImage(ctx context.Context, id, format string, size int) (media string, picture []byte, err error) {
	who, err := auth.Require(ctx, auth.CustomersRead)
	if err != nil {
		return "", nil, err
	}
	key, ok := loyalty.ParseUUID("Customer", id)
	if !ok {
		return "", nil, loyalty.Refuse(loyalty.CodeCustomerNotFound, "id")
	}
	c, err := r.Customers.ByID(ctx, who.CompanyID, key)
	if err == nil && c != nil && c.MergedIntoID != nil {
		c, err = r.Customers.ByID(ctx, who.CompanyID, *c.MergedIntoID)
	}
	if err != nil {
		return "", nil, err
	}
	if c == nil {
		return "", nil, loyalty.Refuse(loyalty.CodeCustomerNotFound, "id")
	}
	picture, err = qr.Draw(c.QrCode, qr.Format(format), size)
	return qr.Format(format).MediaType(), picture, err
}
