package db

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"errors"
)

// Place is where an event stands in the order that readers see: its number.
type Place struct{ ID int64 }

// Place is where the event stands: what a subscriber gives to go on behind it.
func (e Event) Place() Place { return Place{ID: e.ID} }

// Compare is below zero if p comes before q, zero if they are the same place.
func (p Place) Compare(q Place) int { return cmp.Compare(p.ID, q.ID) }

// placeForm is the first byte of a place as text, so that another form can come
// after this one without a client's kept cursor being read wrongly.
const placeForm = 1

// ErrPlaceInvalid: the text is no place that String made.
var ErrPlaceInvalid = errors.New("not a place in the events")

// String is the place as clients keep it: opaque, safe in a URL.
func (p Place) String() string {
	raw := make([]byte, 1, 1+binary.MaxVarintLen64)
	raw[0] = placeForm
	raw = binary.AppendUvarint(raw, uint64(p.ID))
	return base64.RawURLEncoding.EncodeToString(raw)
}

// ParsePlace reads a place that String made. It fails with ErrPlaceInvalid.
func ParsePlace(text string) (Place, error) {
	if len(text) > 40 {
		return Place{}, ErrPlaceInvalid
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) == 0 || raw[0] != placeForm {
		return Place{}, ErrPlaceInvalid
	}
	id, n := binary.Uvarint(raw[1:])
	p := Place{ID: int64(id)}
	// One place has one text, whatever padding an encoding lets through.
	if n <= 0 || p.ID < 0 || p.String() != text {
		return Place{}, ErrPlaceInvalid
	}
	return p, nil
}
