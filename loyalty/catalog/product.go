package catalog

import (
	"context"
	"fmt"
	"regexp"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// ProductStatus says whether a product's codes can be used.
type ProductStatus string

// The states of a product.
const (
	ProductActive   ProductStatus = "active"
	ProductInactive ProductStatus = "inactive"
)

// Product is what serial codes come with.
type Product struct{ db.Product }

// GlobalID is the product's opaque id.
func (p *Product) GlobalID() string { return loyalty.GlobalID("Product", p.ID.String()) }

// State says whether its codes can be used.
func (p *Product) State() ProductStatus { return ProductStatus(p.Status) }

var prefixPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,19}$`)

// NewProduct says what a new product is like.
type NewProduct struct {
	Code, Name, SerialPrefix string
	// Score is the points for one code.
	Score decimal.Decimal
}

// ProductCreate sets up a product. It refuses with the rules of the fields and
// TAKEN (the code, in any case).
func (s *Service) ProductCreate(ctx context.Context, who auth.Principal, in NewProduct) (*Product, error) {
	name, err := loyalty.Text(in.Name, "name", 100)
	switch {
	case err != nil:
		return nil, err
	case !prefixPattern.MatchString(in.SerialPrefix):
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "serialPrefix")
	}
	if err := loyalty.ObjectCode(in.Code, "code"); err != nil {
		return nil, err
	}
	if err := checkScore(in.Score, "score"); err != nil {
		return nil, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make an id: %w", err)
	}
	var row db.Product
	err = s.DB.InTx(ctx, func(tx db.Tx) error {
		var err error
		row, err = tx.ProductCreate(ctx, db.ProductCreateParams{
			CompanyID: who.CompanyID, ID: id, Code: in.Code, CodeKey: Key(in.Code), Name: name, SerialPrefix: in.SerialPrefix,
			Score: in.Score, Now: s.Now(),
		})
		if err != nil {
			return err
		}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "product_create", "product", id, nil)
	})
	switch {
	case err == nil:
		return &Product{row}, nil
	case db.Violates(err, "product_code_key"):
		return nil, loyalty.Refuse(loyalty.CodeTaken, "code")
	default:
		return nil, fmt.Errorf("create a product: %w", err)
	}
}

// ProductChange says what to change; nil stays.
type ProductChange struct {
	Name, SerialPrefix *string
	Score              *decimal.Decimal
	Status             *ProductStatus
}

// ProductUpdate changes a product. Codes that exist keep their spelling and their
// own score. It refuses with PRODUCT_NOT_FOUND and the rules of the fields.
func (s *Service) ProductUpdate(ctx context.Context, who auth.Principal, code string, in ProductChange) (*Product, error) {
	p := db.ProductUpdateParams{CompanyID: who.CompanyID, CodeKey: Key(code), SerialPrefix: in.SerialPrefix, Score: in.Score, Status: (*string)(in.Status), Now: s.Now()}
	if in.Name != nil {
		name, err := loyalty.Text(*in.Name, "name", 100)
		if err != nil {
			return nil, err
		}
		p.Name = &name
	}
	if in.SerialPrefix != nil && !prefixPattern.MatchString(*in.SerialPrefix) {
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "serialPrefix")
	}
	if in.Score != nil {
		if err := checkScore(*in.Score, "score"); err != nil {
			return nil, err
		}
	}
	var row db.Product
	err := s.DB.InTx(ctx, func(tx db.Tx) error {
		var err error
		row, err = tx.ProductUpdate(ctx, p)
		if db.Absent(err) {
			return loyalty.Refuse(loyalty.CodeProductNotFound, "code")
		}
		if err != nil {
			return fmt.Errorf("update a product: %w", err)
		}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "product_update", "product", row.ID, map[string]any{"status": row.Status})
	})
	if err != nil {
		return nil, err
	}
	return &Product{row}, nil
}

// ProductByCode reads a product; nil if the company has none of that code.
func (s *Service) ProductByCode(ctx context.Context, company uuid.UUID, code string) (*Product, error) {
	row, err := s.DB.ProductByKey(ctx, company, Key(code))
	if db.Absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a product: %w", err)
	}
	return &Product{row}, nil
}

// ProductByID reads a product; nil if the company has none of that id.
func (s *Service) ProductByID(ctx context.Context, company, id uuid.UUID) (*Product, error) {
	found, err := s.ProductsByIDs(ctx, company, []uuid.UUID{id})
	return found[id], err
}

// ProductsByIDs reads products by id, for the objects of a page that name them.
func (s *Service) ProductsByIDs(ctx context.Context, company uuid.UUID, ids []uuid.UUID) (map[uuid.UUID]*Product, error) {
	rows, err := s.DB.ProductsByIDs(ctx, company, ids)
	if err != nil {
		return nil, fmt.Errorf("read products: %w", err)
	}
	found := make(map[uuid.UUID]*Product, len(rows))
	for _, row := range rows {
		found[row.ID] = &Product{row}
	}
	return found, nil
}

// Products reads a page of the company's products, oldest first, from behind an id.
func (s *Service) Products(ctx context.Context, company uuid.UUID, status *ProductStatus, after *uuid.UUID, first int) (page []*Product, more bool, err error) {
	rows, err := s.DB.ProductsPage(ctx, db.ProductsPageParams{CompanyID: company, After: after, Status: (*string)(status), BatchSize: int32(first) + 1})
	if err != nil {
		return nil, false, fmt.Errorf("list products: %w", err)
	}
	page, more = make([]*Product, 0, len(rows)), len(rows) > first
	for _, row := range rows[:min(first, len(rows))] {
		page = append(page, &Product{row})
	}
	return page, more, nil
}
