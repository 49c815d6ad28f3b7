package db_test

import (
	"errors"
	"math"
	"testing"

	"sello/db"
)

func TestPlaceSurvivesItsText(t *testing.T) {
	t.Parallel()
	for _, p := range []db.Place{{}, {Tx: 1, ID: 1}, {Tx: 731, ID: 128}, {Tx: math.MaxInt64, ID: math.MaxInt64}} {
		got, err := db.ParsePlace(p.String())
		if err != nil || got != p {
			t.Errorf("ParsePlace(%q): got %v, error %v, want %v", p.String(), got, err, p)
		}
	}
}

func TestParsePlaceRefuses(t *testing.T) {
	t.Parallel()
	good := db.Place{Tx: 300, ID: 7}.String()
	for _, text := range []string{"", "AQ", good + "A", good[:len(good)-1], good + "=", "Ag" + good[2:], "not base64!",
		"AYCAgICAgICAgAEB" /* tx over 63 bits */, "AYEAAQ" /* 1 in two bytes */} {
		if p, err := db.ParsePlace(text); !errors.Is(err, db.ErrPlaceInvalid) {
			t.Errorf("ParsePlace(%q): got %v, error %v, want ErrPlaceInvalid", text, p, err)
		}
	}
}

func TestPlaceOrder(t *testing.T) {
	t.Parallel()
	ordered := []db.Place{{}, {Tx: 1, ID: 9}, {Tx: 2, ID: 1}, {Tx: 2, ID: 3}, {Tx: 5, ID: 2}}
	for i, p := range ordered {
		for j, q := range ordered {
			if got, want := p.Compare(q) < 0, i < j; got != want {
				t.Errorf("%v before %v: got %t, want %t", p, q, got, want)
			}
			if got, want := p.Compare(q) == 0, i == j; got != want {
				t.Errorf("%v same as %v: got %t, want %t", p, q, got, want)
			}
		}
	}
}

func FuzzParsePlace(f *testing.F) {
	f.Add("")
	f.Add(db.Place{Tx: 300, ID: 7}.String())
	f.Fuzz(func(t *testing.T, text string) {
		p, err := db.ParsePlace(text)
		if err != nil {
			return
		}
		if p.Tx < 0 || p.ID < 0 || p.String() != text {
			t.Errorf("ParsePlace(%q): got %v, whose text is %q", text, p, p.String())
		}
	})
}
