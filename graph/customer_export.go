package graph

import (
	"context"
	"io"

	"sello/loyalty"
	"sello/loyalty/auth"
)

// CustomerExport writes everything that is held about a person as one JSON object.
// It may be large, so that it is a plain method for an endpoint that streams. It
// takes every scope that what it tells takes elsewhere, and refuses, before the
// first byte, as customer.Service.Export does.
func (r *Resolver) CustomerExport(ctx context.Context, id string, w io.Writer) error {
	who, err := auth.Require(ctx, auth.CustomersRead)
	if err != nil {
		return err
	}
	for _, scope := range []auth.Scope{auth.CardsRead, auth.NotificationsRead} {
		if _, err := auth.Require(ctx, scope); err != nil {
			return err
		}
	}
	customer, known := loyalty.ParseUUID("Customer", id)
	if !known {
		return loyalty.Refuse(loyalty.CodeCustomerNotFound, "id")
	}
	return r.Customers.Export(ctx, who, customer, w)
}
