package graph

import (
	"math"
	"strconv"
	"time"

	"sello/graph/model"
	"sello/loyalty"
	"sello/loyalty/ledger"
)

// movementKey takes a movement's opaque id apart; what is no such id names none.
func movementKey(id string) ledger.MovementKey {
	kind, key, _ := loyalty.ParseGlobalID(id)
	card, seq, ok := ledger.ParseMovementKey(key)
	if kind != "Movement" || !ok {
		return ledger.MovementKey{}
	}
	return ledger.MovementKey{CardID: card, Seq: seq}
}

// lotKey names one lot of a movement; nil without a movement is all of the card's.
func lotKey(movement *string, part int) *ledger.LotKey {
	if movement == nil {
		return nil
	}
	if part < 0 || part > math.MaxInt16 {
		part = -1 // no lot's
	}
	return &ledger.LotKey{Seq: movementKey(*movement).Seq, Part: int16(part)}
}

func lotTerms(in *model.LotTermsInput) (ledger.LotTerms, error) {
	if in == nil {
		return ledger.LotTerms{}, nil
	}
	terms := ledger.LotTerms{ExpiresOn: in.ExpiresOn, VestsOn: in.VestsOn, Pending: or(in.Pending, false)}
	if in.Priority != nil {
		if *in.Priority < math.MinInt16 || *in.Priority > math.MaxInt16 {
			return ledger.LotTerms{}, badInput("priority is between -32768 and 32767")
		}
		terms.Priority = new(int16(*in.Priority))
	}
	return terms, nil
}

func lines(in []*model.MovementLineInput) []ledger.Line {
	all := make([]ledger.Line, len(in))
	for i, l := range in {
		all[i] = ledger.Line{Number: l.Number, Amount: l.Points, Spent: l.Spent, Code: or(l.Code, "")}
	}
	return all
}

func returnLines(in []*model.ReturnLineInput) []ledger.ReturnLine {
	all := make([]ledger.ReturnLine, len(in))
	for i, l := range in {
		all[i] = ledger.ReturnLine{Number: l.Number, Amount: l.Amount}
	}
	return all
}

// lotCursor is a lot's place in spending order.
func lotCursor(l *ledger.Lot) string {
	ends := ""
	if l.ExpiresOn != nil {
		ends = l.ExpiresOn.Format(time.DateOnly)
	}
	return cursor("lots", l.State, strconv.Itoa(int(l.Priority)), ends, strconv.FormatInt(l.Seq, 10), strconv.Itoa(int(l.Part)))
}

// afterLot reads a lot's cursor: the lot as it was.
func afterLot(after *string) (*ledger.Lot, error) {
	key, err := parseCursor("lots", after, 5)
	if err != nil || key == nil {
		return nil, err
	}
	wrong := badInput("after is not a cursor of this list")
	l := &ledger.Lot{}
	l.State = key[0]
	priority, err := strconv.ParseInt(key[1], 10, 16)
	if err != nil {
		return nil, wrong
	}
	l.Priority = int16(priority)
	if key[2] != "" {
		ends, err := time.Parse(time.DateOnly, key[2])
		if err != nil {
			return nil, wrong
		}
		l.ExpiresOn = &ends
	}
	if l.Seq, err = strconv.ParseInt(key[3], 10, 64); err != nil {
		return nil, wrong
	}
	part, err := strconv.ParseInt(key[4], 10, 16)
	if err != nil {
		return nil, wrong
	}
	l.Part = int16(part)
	return l, nil
}
