package customer

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
)

// ContactKind is what somebody is reached by.
type ContactKind string

// The kinds of contact points.
const (
	ContactPhone ContactKind = "phone"
	ContactEmail ContactKind = "email"
)

// Bounds of contact points.
const (
	// MaxContactPoints is the most that one customer has; what comes later is matched
	// and not kept.
	MaxContactPoints = 50
	// maxGiven is the most of one kind in a request.
	maxGiven        = 1_000
	maxContactLabel = 50
	maxContactValue = 254
	// DefaultLabel is what a contact point is for where nobody says (spec/antcrm.md 3.3).
	DefaultLabel = "Work"
)

// ContactPoint is a phone or an e-mail of a customer.
type ContactPoint struct{ db.CustomerContact }

// GlobalID is the contact point's opaque id.
func (p *ContactPoint) GlobalID() string { return loyalty.GlobalID("ContactPoint", p.ID.String()) }

// What is the kind of it.
func (p *ContactPoint) What() ContactKind { return ContactKind(p.Kind) }

// NewContactPoint is a phone or an e-mail as somebody gave it. Blank values are none.
type NewContactPoint struct{ Label, Value string }

// Person is somebody who is named by phones and e-mails, in the order in which they
// are looked for.
type Person struct {
	Name           string
	Phones, Emails []NewContactPoint
}

var phoneForm = regexp.MustCompile(`^\+?[0-9]{3,15}$`)

// PhoneKey is the form in which a phone is found (spec/antcrm.md 6): without spaces,
// dots, hyphens and parentheses, and a Vietnamese number as it is dialled at home. ok
// is false for what is no phone.
func PhoneKey(text string) (key string, ok bool) {
	key = phoneDrops.Replace(strings.TrimSpace(text))
	if !phoneForm.MatchString(key) {
		return "", false
	}
	if rest, is := strings.CutPrefix(strings.TrimPrefix(key, "+"), "84"); is && len(rest) == 9 {
		return "0" + rest, true
	}
	return key, true
}

// EmailKey is the form in which an e-mail is found. ok is false for what is none.
func EmailKey(text string) (key string, ok bool) {
	key = strings.ToLower(strings.TrimSpace(text))
	return key, utf8.RuneCountInString(key) <= maxContactValue && strings.Count(key, "@") == 1 && emailPattern.MatchString(key) && loyalty.Storable(key)
}

// e164 are the numbers that customer.phone may have for a phone of this key, the one
// that a new customer gets first.
func e164(key, prefix string) []string {
	var all []string
	if len(key) == 10 && key[0] == '0' {
		all = append(all, "+84"+key[1:])
	}
	if full, ok := Phone(key, prefix); ok && !slices.Contains(all, full) {
		all = append(all, full)
	}
	return all
}

// point is a contact point with the form in which it is found.
type point struct {
	kind         ContactKind
	label, value string
	key          string
}

// named identifies a contact point of a company.
type named struct {
	kind ContactKind
	key  string
}

// points reads a person's phones and e-mails, each once. It refuses with INVALID
// (phones or emails) and, where there is none, with REQUIRED (phones).
func (p Person) points() ([]point, error) {
	var all []point
	for _, list := range []struct {
		kind  ContactKind
		field string
		given []NewContactPoint
		key   func(string) (string, bool)
	}{{ContactPhone, "phones", p.Phones, PhoneKey}, {ContactEmail, "emails", p.Emails, EmailKey}} {
		if len(list.given) > maxGiven {
			return nil, loyalty.Refuse(loyalty.CodeInvalid, list.field)
		}
		for _, g := range list.given {
			value := strings.TrimSpace(g.Value)
			if value == "" {
				continue
			}
			key, ok := list.key(value)
			if !ok {
				return nil, loyalty.Refuse(loyalty.CodeInvalid, list.field)
			}
			if utf8.RuneCountInString(value) > maxContactValue {
				value = key // spaces that a form was filled up with
			}
			one := point{kind: list.kind, label: cut(g.Label, maxContactLabel), value: value, key: key}
			if one.label == "" {
				one.label = DefaultLabel
			}
			if !slices.ContainsFunc(all, func(o point) bool { return o.kind == one.kind && o.key == one.key }) {
				all = append(all, one)
			}
		}
	}
	if len(all) == 0 {
		return nil, loyalty.Refuse(loyalty.CodeRequired, "phones")
	}
	return all, nil
}

// Check holds a person's phones and e-mails against their rules. It refuses with
// INVALID and REQUIRED.
func (p Person) Check() error {
	_, err := p.points()
	return err
}

// cut trims a text, takes out what a column cannot hold, and the end of it if it is
// too long.
func cut(text string, limit int) string {
	text = strings.TrimSpace(strings.ReplaceAll(strings.ToValidUTF8(text, ""), "\x00", ""))
	if utf8.RuneCountInString(text) > limit {
		text = strings.TrimSpace(string([]rune(text)[:limit]))
	}
	return text
}

// owners tells whose contact points are, all of whom have one of them: of a phone
// that several customers have, the first.
func owners(ctx context.Context, q *db.Queries, company db.Company, points []point) (map[named][]uuid.UUID, error) {
	p := db.CustomersByContactParams{CompanyID: company.ID, PhoneKeys: []string{}, EmailKeys: []string{}, OwnPhones: []string{}, OwnPhoneKeys: []string{}}
	for _, one := range points {
		if one.kind == ContactEmail {
			p.EmailKeys = append(p.EmailKeys, one.key)
			continue
		}
		p.PhoneKeys = append(p.PhoneKeys, one.key)
		for _, own := range e164(one.key, company.PhonePrefix) {
			p.OwnPhones, p.OwnPhoneKeys = append(p.OwnPhones, own), append(p.OwnPhoneKeys, one.key)
		}
	}
	rows, err := q.CustomersByContact(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("look for customers by phone and e-mail: %w", err)
	}
	found := map[named][]uuid.UUID{}
	for _, row := range rows {
		at := named{ContactKind(row.Kind), row.ValueKey}
		found[at] = append(found[at], row.CustomerID)
	}
	return found, nil
}

// first is who is meant: the first match of the phones in their order, else of the
// e-mails (spec/antcrm.md 4).
func first(points []point, found map[named][]uuid.UUID) (uuid.UUID, bool) {
	for _, p := range points {
		if of := found[named{p.kind, p.key}]; len(of) > 0 {
			return of[0], true
		}
	}
	return uuid.UUID{}, false
}

// ByPerson finds a customer by phones and e-mails; nil if there is none. It refuses
// as Person.Check does.
func (s *Service) ByPerson(ctx context.Context, company uuid.UUID, in Person) (*Customer, error) {
	points, err := in.points()
	if err != nil {
		return nil, err
	}
	c, err := s.DB.CompanyByID(ctx, company)
	if err != nil {
		return nil, fmt.Errorf("read the company: %w", err)
	}
	found, err := owners(ctx, s.DB.Queries, c, points)
	if err != nil {
		return nil, err
	}
	id, ok := first(points, found)
	if !ok {
		return nil, nil
	}
	return s.ByID(ctx, company, id)
}

// IDsByContact are all customers who have the phone and the e-mail, with those who
// were merged into them: whom a history is asked for. Nil asks for neither, and the
// answer is nil then; what is no phone and no e-mail is nobody's.
func (s *Service) IDsByContact(ctx context.Context, company uuid.UUID, phone, email *string) ([]uuid.UUID, error) {
	if phone == nil && email == nil {
		return nil, nil
	}
	var points []point
	for kind, text := range map[ContactKind]*string{ContactPhone: phone, ContactEmail: email} {
		if text == nil {
			continue
		}
		key, ok := PhoneKey(*text)
		if kind == ContactEmail {
			key, ok = EmailKey(*text)
		}
		if !ok {
			return []uuid.UUID{}, nil
		}
		points = append(points, point{kind: kind, key: key})
	}
	c, err := s.DB.CompanyByID(ctx, company)
	if err != nil {
		return nil, fmt.Errorf("read the company: %w", err)
	}
	found, err := owners(ctx, s.DB.Queries, c, points)
	if err != nil {
		return nil, err
	}
	ids := []uuid.UUID{}
	for _, id := range found[named{points[0].kind, points[0].key}] {
		last := points[len(points)-1]
		if !slices.Contains(ids, id) && slices.Contains(found[named{last.kind, last.key}], id) {
			ids = append(ids, id)
		}
	}
	for _, id := range slices.Clone(ids) {
		merged, err := s.DB.CustomersMergedInto(ctx, company, id)
		if err != nil {
			return nil, fmt.Errorf("read merged customers: %w", err)
		}
		for _, m := range merged {
			ids = append(ids, m.ID)
		}
	}
	return ids, nil
}

// ContactPointsOf reads a customer's phones and e-mails, and with them those of the
// batch: first the customer's own phone and e-mail where they are not among those
// given, then those, oldest first.
func (s *Service) ContactPointsOf(ctx context.Context, company uuid.UUID, c *Customer) ([]*ContactPoint, error) {
	return loyalty.Together(c.batch, c, "contactPoints", func(all []*Customer) (map[*Customer][]*ContactPoint, error) {
		of, err := s.DB.CompanyByID(ctx, company)
		if err != nil {
			return nil, fmt.Errorf("read the company: %w", err)
		}
		ids := make([]uuid.UUID, len(all))
		for i, c := range all {
			ids[i] = c.ID
		}
		rows, err := s.DB.CustomerContactsOf(ctx, company, ids)
		if err != nil {
			return nil, fmt.Errorf("read customers' phones and e-mails: %w", err)
		}
		given := map[uuid.UUID][]*ContactPoint{}
		for _, row := range rows {
			given[row.OwnerID] = append(given[row.OwnerID], &ContactPoint{row.CustomerContact})
		}
		answers := make(map[*Customer][]*ContactPoint, len(all))
		for _, c := range all {
			answers[c] = slices.Concat(own(c, given[c.ID], of.PhonePrefix), given[c.ID])
		}
		return answers, nil
	})
}

// own are the customer's own phone and e-mail where none of those given is the same.
// They go by the customer's id.
func own(c *Customer, given []*ContactPoint, prefix string) []*ContactPoint {
	has := func(kind ContactKind, same func(key string) bool) bool {
		return slices.ContainsFunc(given, func(p *ContactPoint) bool { return p.What() == kind && same(p.ValueKey) })
	}
	var all []*ContactPoint
	add := func(kind ContactKind, value string) {
		all = append(all, &ContactPoint{db.CustomerContact{
			CompanyID: c.CompanyID, ID: c.ID, CustomerID: c.ID, Kind: string(kind), Label: DefaultLabel, Value: value, ValueKey: value, CreatedAt: c.CreatedAt,
		}})
	}
	if c.Phone != nil && !has(ContactPhone, func(key string) bool { return slices.Contains(e164(key, prefix), *c.Phone) || key == *c.Phone }) {
		add(ContactPhone, *c.Phone)
	}
	if c.Email != nil && !has(ContactEmail, func(key string) bool { return key == *c.Email }) {
		add(ContactEmail, *c.Email)
	}
	return all
}

// exportContactPoints writes the phones and e-mails that were given of a person.
func (s *Service) exportContactPoints(ctx context.Context, company, id uuid.UUID, out *document) error {
	rows, err := s.DB.CustomerContactsOf(ctx, company, []uuid.UUID{id})
	for _, row := range rows {
		out.element(struct {
			Kind    string    `json:"kind"`
			Label   string    `json:"label"`
			Value   string    `json:"value"`
			GivenAt time.Time `json:"givenAt"`
		}{row.CustomerContact.Kind, row.CustomerContact.Label, row.CustomerContact.Value, row.CustomerContact.CreatedAt.UTC()})
	}
	return err
}

// ErrMet says that somebody registered the same person meanwhile: the transaction is
// to be run again, and will find them.
var ErrMet = errors.New("a person was registered meanwhile")
