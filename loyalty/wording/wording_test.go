package wording_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"sello/db"
	"sello/db/dbtest"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/company"
	"sello/loyalty/wording"
)

var facts = wording.Facts{Name: "María {saldo}", Wallet: "Monedero", Link: "https://x.example/?a=1", Balance: "12.5", Points: "3"}

func TestRender(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ body, want string }{
		{"Hola {nombre}: {saldo}", "Hola María {saldo}: 12.5"}, // what is put in is not looked through again
		{"{name}{nome}{ten}", "María {saldo}María {saldo}María {saldo}"},
		{"{wallet} {monedero} {carteira} {vi}", "Monedero Monedero Monedero Monedero"},
		{"{link} {enlace} {lienket}", "https://x.example/?a=1 https://x.example/?a=1 https://x.example/?a=1"},
		{"{balance} {sodu} {points} {puntos} {pontos} {diem}", "12.5 12.5 3 3 3 3"},
		{"nothing", "nothing"},
		{"{other} {nombre", "{other} {nombre"},
		{"}{{saldo}}", "}{12.5}"},
		{" {enlace} ", "https://x.example/?a=1"},
	} {
		if got := wording.Render(tt.body, facts); got != tt.want {
			t.Errorf("Render(%q): got %q, want %q", tt.body, got, tt.want)
		}
	}
	if got := wording.Render("Aquí: {enlace}", wording.Facts{}); got != "Aquí:" {
		t.Errorf("without a link: got %q", got)
	}
}

func newTexts(t *testing.T) (*wording.Service, auth.Principal, auth.Principal) {
	t.Helper()
	store := db.NewStore(dbtest.New(t))
	now := func() time.Time { return time.Date(2026, time.March, 2, 12, 0, 0, 0, time.UTC) }
	var who [2]auth.Principal
	for i, code := range []string{"acme", "other"} {
		c, err := (&company.Service{DB: store, Now: now}).Create(t.Context(), company.NewCompany{
			Code: code, Name: code, TimeZone: "UTC", Language: "es", Currency: "MXN", PhonePrefix: "+52",
		})
		if err != nil {
			t.Fatal(err)
		}
		who[i] = auth.System(c.ID)
	}
	return &wording.Service{DB: store, Now: now}, who[0], who[1]
}

// TestSet: what a company may write, and that the platform's own texts are such.
func TestSet(t *testing.T) {
	t.Parallel()
	texts, who, other := newTexts(t)
	own, err := texts.Templates(t.Context(), who.CompanyID)
	if err != nil || len(own) != 12 {
		t.Fatalf("templates: got %d, %v, want 12", len(own), err)
	}
	for _, d := range own {
		if set, err := texts.Set(t.Context(), other, d.What, d.Language, &d.Body); err != nil || set.Body != d.Body || d.Own || !set.Own {
			t.Errorf("the platform's %s in %s: got %v, %v", d.What, d.Language, set, err)
		}
	}
	for name, tt := range map[string]struct {
		kind           wording.Kind
		language, body string
		want           loyalty.Code
	}{
		"another kind":           {"import_result", "es", "x", loyalty.CodeInvalid},
		"another language":       {wording.Sale, "de", "x", loyalty.CodeInvalid},
		"nothing":                {wording.Sale, "es", " \n", loyalty.CodeRequired},
		"too much":               {wording.Sale, "es", strings.Repeat("é", 1001), loyalty.CodeTooLong},
		"no text":                {wording.Sale, "es", "a\x00", loyalty.CodeInvalid},
		"an unknown placeholder": {wording.Sale, "es", "Hola {apellido}", loyalty.CodePlaceholderUnknown},
		"an empty one":           {wording.Sale, "es", "Hola {}", loyalty.CodePlaceholderUnknown},
		"half of one":            {wording.Sale, "es", "Hola {nombre", loyalty.CodeInvalid},
		"the other half":         {wording.Sale, "es", "Hola nombre}", loyalty.CodeInvalid},
		"one in one":             {wording.Sale, "es", "Hola {{nombre}}", loyalty.CodePlaceholderUnknown},
		"all that is allowed":    {wording.Sale, "es", strings.Repeat("é", 992) + "{nombre}", ""},
	} {
		if _, err := texts.Set(t.Context(), who, tt.kind, tt.language, &tt.body); loyalty.CodeOf(err) != tt.want || tt.want == "" && err != nil {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
	read := func(language string) string {
		t.Helper()
		all, err := texts.TextsIn(t.Context(), texts.DB.Queries, who.CompanyID, language)
		if err != nil {
			t.Fatal(err)
		}
		return all[wording.Sale]
	}
	if got := read("es"); !strings.HasPrefix(got, "éé") {
		t.Errorf("the company's text: got %q", got)
	}
	if _, err := texts.Set(t.Context(), who, wording.Sale, "es", nil); err != nil {
		t.Fatal(err)
	}
	if got := read("es"); got != "{monedero}: tu nuevo saldo es {saldo}." {
		t.Errorf("the platform's text again: got %q", got)
	}
	if got := read("tlh"); got != "{wallet}: your new balance is {balance}." {
		t.Errorf("a language that nobody speaks: got %q", got)
	}
}

// FuzzRender: no text makes it fail, and without braces it stays as it is.
func FuzzRender(f *testing.F) {
	for _, seed := range []string{"Hola {nombre}", "{", "}", "{}", "{{saldo}}", "{nombre", "a{b}c{saldo}", "\xff{name}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got := wording.Render(body, wording.Facts{Name: "N", Wallet: "W", Link: "L", Balance: "B", Points: "P"})
		if !strings.ContainsAny(body, "{}") && got != strings.TrimSpace(body) {
			t.Errorf("Render(%q): got %q", body, got)
		}
		if utf8.ValidString(body) && !utf8.ValidString(got) {
			t.Errorf("Render(%q): got %q, no valid UTF-8", body, got)
		}
		if len(got) > len(body) {
			t.Errorf("Render(%q): got %q, longer than what was put in", body, got)
		}
	})
}
