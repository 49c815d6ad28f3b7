// Package wording words what customers are told on their phones: the platform's own
// texts in each language, a company's in their place, and the placeholders in both
// (spec/wallet.md 6).
package wording

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// Kind is what a message tells of.
type Kind string

// The kinds of messages.
const (
	// Welcome: somebody became a contact of a wallet.
	Welcome Kind = "wallet_welcome"
	// Sale: a sale gave or took points.
	Sale Kind = "wallet_sale"
	// Adjustment: points were added or removed without a sale.
	Adjustment Kind = "wallet_adjustment"
)

// Kinds lists every kind.
func Kinds() []Kind { return []Kind{Welcome, Sale, Adjustment} }

// Languages lists the languages that the platform speaks.
func Languages() []string { return []string{"en", "es", "pt", "vi"} }

// defaults are the platform's own texts.
var defaults = map[Kind]map[string]string{
	Welcome: {
		"en": "Hello {name}, your wallet {wallet} is ready. See your balance here: {link}",
		"es": "Hola {nombre}, ya tienes tu monedero {monedero}. Consulta tu saldo aquí: {enlace}",
		"pt": "Olá {nome}, sua carteira {carteira} está pronta. Veja seu saldo aqui: {link}",
		"vi": "Xin chào {ten}, ví {vi} của bạn đã sẵn sàng. Xem số dư tại: {lienket}",
	},
	Sale:       balances,
	Adjustment: balances,
}

var balances = map[string]string{
	"en": "{wallet}: your new balance is {balance}.",
	"es": "{monedero}: tu nuevo saldo es {saldo}.",
	"pt": "{carteira}: seu novo saldo é {saldo}.",
	"vi": "{vi}: số dư mới của bạn là {sodu}.",
}

// Facts are what is put in.
type Facts struct {
	Name, Wallet, Link, Balance, Points string
}

// filled are the placeholders and what is put in for them. They have names in each of
// our languages: a company writes its texts in its own.
func filled(f Facts) map[string]string {
	return map[string]string{
		"name": f.Name, "nombre": f.Name, "nome": f.Name, "ten": f.Name,
		"wallet": f.Wallet, "monedero": f.Wallet, "carteira": f.Wallet, "vi": f.Wallet,
		"link": f.Link, "enlace": f.Link, "lienket": f.Link,
		"balance": f.Balance, "saldo": f.Balance, "sodu": f.Balance,
		"points": f.Points, "puntos": f.Points, "pontos": f.Points, "diem": f.Points,
	}
}

// maxBody bounds a text: several times what one short message holds.
const maxBody = 1000

// Render puts facts in for a text's placeholders. What is put in is not looked
// through again.
func Render(body string, f Facts) string {
	var b strings.Builder
	facts := filled(f)
	for {
		open := strings.IndexByte(body, '{')
		if open < 0 {
			break
		}
		size := strings.IndexByte(body[open:], '}')
		if size < 0 {
			break
		}
		fact, known := facts[body[open+1:open+size]]
		if !known { // nothing that was checked has one
			b.WriteString(body[:open+1])
			body = body[open+1:]
			continue
		}
		b.WriteString(body[:open])
		b.WriteString(fact)
		body = body[open+size+1:]
	}
	b.WriteString(body)
	return strings.TrimSpace(b.String())
}

// check refuses with REQUIRED, TOO_LONG, INVALID (a brace that is no placeholder's)
// and PLACEHOLDER_UNKNOWN.
func check(body string) (string, error) {
	body = strings.TrimSpace(body)
	switch {
	case body == "":
		return "", loyalty.Refuse(loyalty.CodeRequired, "body")
	case utf8.RuneCountInString(body) > maxBody:
		return "", loyalty.Refuse(loyalty.CodeTooLong, "body")
	case strings.ContainsRune(body, 0) || !utf8.ValidString(body):
		return "", loyalty.Refuse(loyalty.CodeInvalid, "body")
	}
	names := filled(Facts{})
	for rest := body; ; {
		at := strings.IndexAny(rest, "{}")
		if at < 0 {
			return body, nil
		}
		size := strings.IndexByte(rest[at:], '}')
		if rest[at] == '}' || size < 0 {
			return "", loyalty.Refuse(loyalty.CodeInvalid, "body")
		}
		name := rest[at+1 : at+size]
		if _, known := names[name]; !known {
			return "", loyalty.Refuse(loyalty.CodePlaceholderUnknown, "body").With("placeholder", shortened(name))
		}
		rest = rest[at+size+1:]
	}
}

func shortened(name string) string {
	if utf8.RuneCountInString(name) > 50 {
		return string([]rune(name)[:50])
	}
	return name
}

// Service keeps companies' texts.
type Service struct {
	DB  *db.Store
	Now func() time.Time
}

// Template is the text of a kind in a language, a company's own or the platform's.
type Template struct {
	What     Kind
	Language string
	Body     string
	// Own: the company's; UpdatedAt is when it wrote it.
	Own       bool
	UpdatedAt *time.Time
}

// Texts are a company's bodies by kind, in one language.
type Texts map[Kind]string

// TextsIn reads a company's texts in a language, in the caller's transaction.
func (s *Service) TextsIn(ctx context.Context, q *db.Queries, company uuid.UUID, language string) (Texts, error) {
	if !slices.Contains(Languages(), language) {
		language = "en"
	}
	own, err := q.MessageTemplates(ctx, company, &language)
	if err != nil {
		return nil, fmt.Errorf("read a company's texts: %w", err)
	}
	texts := Texts{}
	for _, k := range Kinds() {
		texts[k] = defaults[k][language]
	}
	for _, t := range own {
		texts[Kind(t.Kind)] = t.Body
	}
	return texts, nil
}

// Templates lists the texts of every kind in every language.
func (s *Service) Templates(ctx context.Context, company uuid.UUID) ([]*Template, error) {
	own, err := s.DB.MessageTemplates(ctx, company, nil)
	if err != nil {
		return nil, fmt.Errorf("list a company's texts: %w", err)
	}
	var all []*Template
	for _, k := range Kinds() {
		for _, language := range Languages() {
			t := &Template{What: k, Language: language, Body: defaults[k][language]}
			at := slices.IndexFunc(own, func(o db.MessageTemplate) bool { return Kind(o.Kind) == k && o.Language == language })
			if at >= 0 {
				t.Body, t.Own, t.UpdatedAt = own[at].Body, true, &own[at].UpdatedAt
			}
			all = append(all, t)
		}
	}
	return all, nil
}

// Set gives a company a text of its own; a nil body goes back to the platform's. It
// refuses with INVALID (kind, language) and the rules of the text.
func (s *Service) Set(ctx context.Context, who auth.Principal, kind Kind, language string, body *string) (*Template, error) {
	if !slices.Contains(Kinds(), kind) {
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "kind")
	}
	if !slices.Contains(Languages(), language) {
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "language")
	}
	t := &Template{What: kind, Language: language, Body: defaults[kind][language]}
	if body != nil {
		text, err := check(*body)
		if err != nil {
			return nil, err
		}
		t.Body, t.Own, t.UpdatedAt = text, true, new(s.Now())
	}
	err := s.DB.InTx(ctx, func(tx db.Tx) error {
		if body == nil {
			if _, err := tx.MessageTemplateDelete(ctx, db.MessageTemplateDeleteParams{CompanyID: who.CompanyID, Kind: string(kind), Language: language}); err != nil {
				return err
			}
		} else if _, err := tx.MessageTemplatePut(ctx, db.MessageTemplatePutParams{
			CompanyID: who.CompanyID, Kind: string(kind), Language: language, Body: t.Body, Now: *t.UpdatedAt,
		}); err != nil {
			return err
		}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "message_template_set", "company", who.CompanyID,
			map[string]any{"kind": string(kind), "language": language, "own": body != nil})
	})
	if err != nil {
		return nil, fmt.Errorf("write a company's text: %w", err)
	}
	return t, nil
}
