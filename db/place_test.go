package db_test

import (
	"errors"
	"math"
	"testing"

	"sello/db"
)

func TestPlaceSurvivesItsText(t *testing.T) {
	t.Parallel()
	for _, p := range []db.Place{{}, {ID: 1}, {ID: 128}, {ID: math.MaxInt64}} {
		got, err := db.ParsePlace(p.String())
		if err != nil || got != p {
			t.Errorf("ParsePlace(%q): got %v, error %v, want %v", p.String(), got, err, p)
		}
	}
}

func TestParsePlaceRefuses(t *testing.T) {
	t.Parallel()
	good := db.Place{ID: 300}.String()
	for _, text := range []string{"", "AQ", good + "A", good[:len(good)-1], good + "=", "Ag" + good[2:], "not base64!",
		"AYCAgICAgICAgAE" /* over 63 bits */, "AYEA" /* 1 in two bytes */} {
		if p, err := db.ParsePlace(text); !errors.Is(err, db.ErrPlaceInvalid) {
			t.Errorf("ParsePlace(%q): got %v, error %v, want ErrPlaceInvalid", text, p, err)
		}
	}
}

func TestPlaceOrder(t *testing.T) {
	t.Parallel()
	ordered := []db.Place{{}, {ID: 1}, {ID: 2}, {ID: 300}, {ID: math.MaxInt64}}
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
	f.Add(db.Place{ID: 300}.String())
	f.Fuzz(func(t *testing.T, text string) {
		p, err := db.ParsePlace(text)
		if err != nil {
			return
		}
		if p.ID < 0 || p.String() != text {
			t.Errorf("ParsePlace(%q): got %v, whose text is %q", text, p, p.String())
		}
	})
}
