package graph

import (
	"context"
	"strconv"
	"time"

	"github.com/google/uuid"

	"sello/graph/model"
	"sello/loyalty/ledger"
)

func cardPayload(ctx context.Context, c *ledger.Card, err error) (*model.CardPayload, error) {
	refused, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	return &model.CardPayload{Card: c, UserErrors: refused}, nil
}

func cardTypePayload(ctx context.Context, t *ledger.CardType, err error) (*model.CardTypePayload, error) {
	refused, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	return &model.CardTypePayload{CardType: t, UserErrors: refused}, nil
}

func cardConnection(cards []*ledger.Card, more bool, place func(*ledger.Card) string) *model.CardConnection {
	conn := &model.CardConnection{Edges: make([]*model.CardEdge, len(cards))}
	last := ""
	for i, c := range cards {
		last = place(c)
		conn.Edges[i] = &model.CardEdge{Cursor: last, Node: c}
	}
	conn.PageInfo = pageInfo(more, last)
	return conn
}

// afterRegistered reads a cursor of a card type's cards.
func afterRegistered(after *string) (ledger.Registered, error) {
	key, err := parseCursor("registered", after, 2)
	if err != nil || key == nil {
		return ledger.Registered{}, err
	}
	micros, err := strconv.ParseInt(key[0], 10, 64)
	if err != nil || time.UnixMicro(micros).Year() < 0 || time.UnixMicro(micros).Year() > 9999 {
		return ledger.Registered{}, badInput("after is not a cursor of this list")
	}
	id, err := uuid.Parse(key[1])
	if err != nil {
		return ledger.Registered{}, badInput("after is not a cursor of this list")
	}
	return ledger.Registered{At: time.UnixMicro(micros).UTC(), ID: id}, nil
}

func ratio(in *model.AccrualRatioInput) *ledger.Ratio {
	if in == nil {
		return nil
	}
	return &ledger.Ratio{Points: in.Points, Amount: in.Amount}
}
