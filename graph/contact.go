package graph

import (
	"sello/graph/model"
	"sello/loyalty/customer"
)

func contactPoints(given []*model.ContactPointInput) []customer.NewContactPoint {
	all := make([]customer.NewContactPoint, len(given))
	for i, p := range given {
		all[i] = customer.NewContactPoint{Label: or(p.Label, ""), Value: p.Value}
	}
	return all
}
