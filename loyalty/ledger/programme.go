package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/loyalty"
)

// pointsCardType is the company's setting with the code of the card type that points
// without another home are kept on.
const pointsCardType = "points_card_type"

// Programme is the card type that the company keeps points on where nobody names
// another. It refuses with CARD_TYPE_NOT_FOUND and CARD_TYPE_ARCHIVED.
func (s *Service) Programme(ctx context.Context, company uuid.UUID) (db.CardType, error) {
	missing := loyalty.Refuse(loyalty.CodeCardTypeNotFound, "")
	value, err := s.DB.SettingByName(ctx, company, pointsCardType)
	if errors.Is(err, pgx.ErrNoRows) {
		return db.CardType{}, missing
	}
	if err != nil {
		return db.CardType{}, fmt.Errorf("read the setting of points: %w", err)
	}
	var code string
	if err := json.Unmarshal(value, &code); err != nil {
		return db.CardType{}, fmt.Errorf("read the setting of points: %w", err)
	}
	row, err := s.DB.CardTypeByCode(ctx, company, code)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return row, missing
	case err != nil:
		return row, fmt.Errorf("read a card type: %w", err)
	case row.ArchivedAt != nil:
		return row, loyalty.Refuse(loyalty.CodeCardTypeArchived, "")
	}
	return row, nil
}

// ProgrammeAccounts are the cards that customers have in the company's programme, each
// as AccountOf picks it: nobody's is opened. They are read together, and what they lead
// to is too.
func (s *Service) ProgrammeAccounts(ctx context.Context, company uuid.UUID, customers []uuid.UUID) (map[uuid.UUID]*Card, error) {
	rows, err := s.DB.CardsOfProgramme(ctx, company, customers)
	if err != nil {
		return nil, fmt.Errorf("read customers' accounts: %w", err)
	}
	found := make(map[uuid.UUID]*Card, len(rows))
	for _, c := range cards(rows) {
		found[*c.CustomerID] = c
	}
	return found, nil
}
