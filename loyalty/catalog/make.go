package catalog

import (
	"context"
	"crypto/rand"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/ledger"
	"sello/loyalty/once"
)

// Generated serials are 11 characters that nobody takes for one another, 2^54 of
// them (spec/antcrm.md 8).
const (
	serialAlphabet = "23456789abcdefghjkmnpqrstuvwxyz"
	serialLength   = 11
)

// Bounds of one request.
const (
	MaxGenerated = 50_000
	MaxLines     = 5_000
)

// codesTogether is the number of codes of one statement.
const codesTogether = 5_000

// NewCodes says what codes to make.
type NewCodes struct {
	ProductCode string
	Count       int
	// ExpiresOn is their last business day; nil is for ever.
	ExpiresOn *time.Time
	// Score is theirs instead of the product's.
	Score *decimal.Decimal
	// Key makes it repeatable; nil makes codes whenever it is called.
	Key *ledger.Key
}

// Made is what came of making codes.
type Made struct {
	// LotID names the codes that were made together.
	LotID   uuid.UUID
	Created int
	// Rejected are lines that were left out.
	Rejected []Rejected
	// Replayed: the codes were made before.
	Replayed bool
}

// LotGlobalID names the codes that were made together.
func (m *Made) LotGlobalID() string { return LotGlobalID(m.LotID) }

// Rejected is a line of a list of codes that was left out, and why.
type Rejected struct {
	// Line is its number in the list, from 1, the header being 1.
	Line   int
	Code   string
	Reason loyalty.Code
}

// Generate makes codes of a product from a cryptographic source. It refuses with
// the rules of the fields and PRODUCT_NOT_FOUND.
func (s *Service) Generate(ctx context.Context, who auth.Principal, in NewCodes) (*Made, error) {
	if in.Count < 1 || in.Count > MaxGenerated {
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "count").With("atMost", fmt.Sprint(MaxGenerated))
	}
	if in.Score != nil {
		if err := checkScore(*in.Score, "score"); err != nil {
			return nil, err
		}
	}
	return s.once(ctx, who, in.Key, func(tx db.Tx, made *Made) error {
		product, err := tx.ProductByKey(ctx, who.CompanyID, Key(in.ProductCode))
		switch {
		case db.Absent(err):
			return loyalty.Refuse(loyalty.CodeProductNotFound, "productCode")
		case err != nil:
			return fmt.Errorf("read a product: %w", err)
		}
		for made.Created < in.Count {
			var batch lines
			for range min(codesTogether, in.Count-made.Created) {
				serial := drawSerial()
				batch.add(product.ID, product.SerialPrefix+serial, serial, in.Score, in.ExpiresOn)
			}
			free, err := s.create(ctx, tx, who.CompanyID, made.LotID, batch)
			if err != nil {
				return err
			}
			made.Created += len(free) // what somebody had is drawn anew
		}
		return nil
	})
}

// drawSerial makes a serial that nobody can guess.
func drawSerial() string {
	var out [serialLength]byte
	for i := 0; i < serialLength; {
		var pool [2 * serialLength]byte
		_, _ = rand.Read(pool[:]) // never fails (crypto/rand)
		for _, b := range pool {
			if limit := 256 - 256%len(serialAlphabet); int(b) < limit && i < serialLength {
				out[i] = serialAlphabet[int(b)%len(serialAlphabet)]
				i++
			}
		}
	}
	return string(out[:])
}

// once makes codes in one transaction, once for a key.
func (s *Service) once(ctx context.Context, who auth.Principal, key *ledger.Key, fill func(db.Tx, *Made) error) (*Made, error) {
	var made *Made
	first, replayed, err := once.Do(ctx, s.DB.Queries, who.CompanyID, key, s.Now(), func() (r once.Result, err error) {
		err = s.DB.InTx(ctx, func(tx db.Tx) error {
			lot, err := uuid.NewV7()
			if err != nil {
				return fmt.Errorf("make an id: %w", err)
			}
			made = &Made{LotID: lot}
			if err := fill(tx, made); err != nil {
				return err
			}
			r = once.Result{ID: lot, Seq: int64(made.Created)}
			if err := once.Note(ctx, tx.Queries, who.CompanyID, key, r, s.Now()); err != nil {
				return err
			}
			return auth.Audit(ctx, tx.Queries, who, s.Now(), "product_codes_create", "product_code_lot", lot, map[string]any{"created": made.Created})
		})
		return r, err
	})
	switch {
	case loyalty.CodeOf(err) != "":
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("make serial codes: %w", err)
	case replayed:
		return &Made{LotID: first.ID, Created: int(first.Seq), Replayed: true}, nil
	}
	return made, nil
}

// lines are codes to be made by one statement.
type lines struct {
	products             []uuid.UUID
	codes, keys, serials []string
	scores, days         []string
}

func (l *lines) add(product uuid.UUID, code, serial string, score *decimal.Decimal, day *time.Time) {
	l.products, l.codes, l.keys, l.serials = append(l.products, product), append(l.codes, code), append(l.keys, Key(code)), append(l.serials, serial)
	scoreText, dayText := "", ""
	if score != nil {
		scoreText = score.String()
	}
	if day != nil {
		dayText = day.Format(time.DateOnly)
	}
	l.scores, l.days = append(l.scores, scoreText), append(l.days, dayText)
}

// create makes the codes that nobody has and answers the places of their lines.
func (s *Service) create(ctx context.Context, tx db.Tx, company, lot uuid.UUID, batch lines) (free map[int]bool, err error) {
	ids, at := make([]uuid.UUID, len(batch.codes)), make(map[uuid.UUID]int, len(batch.codes))
	for i := range ids {
		if ids[i], err = uuid.NewV7(); err != nil {
			return nil, fmt.Errorf("make an id: %w", err)
		}
		at[ids[i]] = i
	}
	made, err := tx.ProductCodesCreate(ctx, db.ProductCodesCreateParams{
		CompanyID: company, LotID: lot, Ids: ids, ProductIds: batch.products, Codes: batch.codes, CodeKeys: batch.keys,
		Serials: batch.serials, Scores: batch.scores, Days: batch.days, Now: s.Now(),
	})
	if err != nil {
		return nil, err
	}
	free = make(map[int]bool, len(made))
	for _, id := range made {
		free[at[id]] = true
	}
	return free, nil
}

// header is the first line of a list of codes.
var header = []string{"code", "product_code", "expires_on", "score"}

var serialPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{2,63}$`)

// Add takes in a list of codes as CSV with the header
// code,product_code,expires_on,score, the last two of which may be blank. A code is
// given whole, prefix and serial, or as the serial alone. Lines that are wrong are
// left out and told; the others are made. It refuses with INVALID (csv) what is no
// such list.
func (s *Service) Add(ctx context.Context, who auth.Principal, text string, key *ledger.Key) (*Made, error) {
	rows, err := readLines(text)
	if err != nil {
		return nil, err
	}
	return s.once(ctx, who, key, func(tx db.Tx, made *Made) error {
		products, err := s.productsOf(ctx, tx.Queries, who.CompanyID, rows)
		if err != nil {
			return err
		}
		var batch lines
		var from []row
		for _, r := range rows {
			product, known := products[Key(r.product)]
			if !known && r.reason == "" {
				r.reason = loyalty.CodeProductNotFound
			}
			if r.reason != "" {
				made.reject(r, r.reason)
				continue
			}
			code, serial := whole(r.code, product.SerialPrefix)
			batch.add(product.ID, code, serial, r.score, r.day)
			from = append(from, r)
		}
		free, err := s.create(ctx, tx, who.CompanyID, made.LotID, batch)
		if err != nil {
			return err
		}
		made.Created = len(free)
		for i, r := range from {
			if !free[i] {
				made.reject(r, loyalty.CodeTaken)
			}
		}
		return nil
	})
}

func (m *Made) reject(r row, reason loyalty.Code) {
	m.Rejected = append(m.Rejected, Rejected{Line: r.line, Code: r.code, Reason: reason})
}

// whole is a code with its product's prefix, as it was given where it has it, and
// the part behind the prefix.
func whole(given, prefix string) (code, serial string) {
	if len(given) > len(prefix) && strings.EqualFold(given[:len(prefix)], prefix) {
		return given, given[len(prefix):]
	}
	return prefix + given, given
}

// row is one line of a list of codes.
type row struct {
	line          int
	code, product string
	day           *time.Time
	score         *decimal.Decimal
	reason        loyalty.Code
}

func readLines(text string) ([]row, error) {
	wrong := loyalty.Refuse(loyalty.CodeInvalid, "csv")
	file := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff")))
	file.FieldsPerRecord = len(header)
	first, err := file.Read()
	if err != nil {
		return nil, wrong //nolint:nilerr // the caller's fault, which it can mend
	}
	for i, name := range header {
		if strings.TrimSpace(strings.ToLower(first[i])) != name {
			return nil, wrong.With("line", "1")
		}
	}
	var rows []row
	for {
		cells, err := file.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		line, _ := file.FieldPos(0)
		if err != nil || !loyalty.Storable(strings.Join(cells, "")) {
			if e, ok := errors.AsType[*csv.ParseError](err); ok {
				line = e.Line
			}
			return nil, wrong.With("line", fmt.Sprint(line))
		}
		if len(rows) == MaxLines {
			return nil, loyalty.Refuse(loyalty.CodeTooLong, "csv").With("atMost", fmt.Sprint(MaxLines))
		}
		rows = append(rows, readLine(line, cells))
	}
	if len(rows) == 0 {
		return nil, loyalty.Refuse(loyalty.CodeRequired, "csv")
	}
	return rows, nil
}

func readLine(line int, cells []string) row {
	r := row{line: line, code: strings.TrimSpace(cells[0]), product: strings.TrimSpace(cells[1])}
	if !serialPattern.MatchString(r.code) {
		r.reason = loyalty.CodeInvalid
	}
	if text := strings.TrimSpace(cells[2]); text != "" {
		day, err := time.Parse(time.DateOnly, text)
		if err != nil {
			r.reason = loyalty.CodeInvalid
		}
		r.day = &day
	}
	if text := strings.TrimSpace(cells[3]); text != "" {
		score, err := decimal.Parse(text)
		if err != nil || checkScore(score, "score") != nil {
			r.reason = loyalty.CodeInvalid
		}
		r.score = &score
	}
	return r
}

func (s *Service) productsOf(ctx context.Context, q *db.Queries, company uuid.UUID, rows []row) (map[string]db.Product, error) {
	var keys []string
	seen := map[string]bool{}
	for _, r := range rows {
		if key := Key(r.product); !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	found, err := q.ProductsByKeys(ctx, company, keys)
	if err != nil {
		return nil, fmt.Errorf("read products: %w", err)
	}
	products := make(map[string]db.Product, len(found))
	for _, p := range found {
		products[p.CodeKey] = p
	}
	return products, nil
}
