package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// The ways in which a shim's operation is done.
const (
	waySale           = "POST /wallet/sale"
	wayMovementAccrue = "movementAccrue"
	wayAccumulate     = "POST /accumulate"
	wayContactAccrue  = "contactAccrue"
)

// shimPoints is what one operation gives: a sale of so much at the wallet's 100 %,
// and the product's score.
const shimPoints = 10

// pointsProgramme is the card type on which people who are named by phone have their
// accounts.
const pointsProgramme = "puntos"

// shimTown is an installation with people who have a card in the wallet and an
// account of points each, and serial codes to be used.
type shimTown struct {
	*Installation
	server    *Process
	antcrmKey string
	company   uuid.UUID
	staff     int64
	people    int64
	codes     int64
	// nextPerson and nextCode go round, so that each operation is of somebody else
	// and each code is used once.
	nextPerson, nextCode atomic.Int64
	// done are the operations that were answered, by way.
	done map[string]int64
}

func newShimTown(ctx context.Context, i *Installation, people, codes int) (*shimTown, error) {
	t := &shimTown{Installation: i, people: int64(people), codes: int64(codes), done: map[string]int64{}}
	var err error
	t.antcrmKey, err = run(ctx, i.options.Binary, []string{"key", "create", "--company", Company, "--kind", "antcrm", "--name", "bench"}, i.env, "")
	if err != nil {
		return nil, fmt.Errorf("set up: %w", err)
	}
	if t.server, err = i.Serve(ctx); err != nil {
		return nil, err
	}
	if t.staff, err = i.tillAndWallet(ctx); err != nil {
		return nil, err
	}
	if err := i.cardType(ctx, `code: "`+pointsProgramme+`", name: "Puntos", unit: POINTS`); err != nil {
		return nil, err
	}
	if err := i.Setting(ctx, "points_card_type", pointsProgramme); err != nil {
		return nil, err
	}
	return t, t.layIn(ctx)
}

// layIn makes people and codes by statements over whole tables. One person in ten
// comes for the first time and gets a number.
func (t *shimTown) layIn(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, t.options.DatabaseURL)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var wallet, points uuid.UUID
	err = conn.QueryRow(ctx, `SELECT wallet.company_id, wallet.id, points.id FROM card_type AS wallet, card_type AS points
		WHERE wallet.wallet_key = $1 AND points.code = $2`, bankWallet, pointsProgramme).Scan(&t.company, &wallet, &points)
	if err != nil {
		return fmt.Errorf("find the card types: %w", err)
	}
	id := func(family string) string {
		return `('01930000-0000-7000-` + family + `-' || lpad(to_hex(n), 12, '0'))::uuid`
	}
	now := time.Now()
	for _, step := range []struct {
		sql  string
		args []any
	}{
		{`SET synchronous_commit = off`, nil}, // of this connection only
		{`INSERT INTO customer (company_id, id, first_name, phone, qr_code, name_key, number, created_at, updated_at)
		  SELECT $1, ` + id("8001") + `, 'Persona ' || n, '+51' || (900000000 + n), 'QR-' || n, 'persona ' || n,
		         CASE WHEN n % 10 > 0 THEN n + 1 END, $2, $2 FROM generate_series(0, $3::bigint - 1) AS n`,
			[]any{t.company, now, t.people}},
		{`INSERT INTO company_counter (company_id, name, value) VALUES ($1, 'customer', $2)`, []any{t.company, t.people}},
		{`INSERT INTO card (company_id, id, card_type_id, customer_id, code, status, registered_at, created_at, updated_at)
		  SELECT $1, ` + id("8002") + `, $2, ` + id("8001") + `, (6000000000000000 + n)::text, 'enabled', $3, $3, $3 FROM generate_series(0, $4::bigint - 1) AS n`,
			[]any{t.company, points, now, t.people}},
		{`INSERT INTO card (company_id, id, card_type_id, code, status, holder_name, holder_phone, registered_at, created_at, updated_at)
		  SELECT $1, ` + id("8003") + `, $2, (7000000000000000 + n)::text, 'enabled', 'Contacto ' || n, (5500000000 + n)::text, $3, $3, $3 FROM generate_series(0, $4::bigint - 1) AS n`,
			[]any{t.company, wallet, now, t.people}},
		{`INSERT INTO product (company_id, id, code, code_key, name, serial_prefix, score, status, created_at, updated_at)
		  VALUES ($1, '01930000-0000-7000-8004-000000000000', 'TAZA', 'taza', 'Taza', 'T', $2, 'active', $3, $3)`,
			[]any{t.company, int64(shimPoints), now}},
		{`INSERT INTO product_code (company_id, id, product_id, lot_id, code, code_key, serial, status, created_at, updated_at)
		  SELECT $1, ` + id("8005") + `, '01930000-0000-7000-8004-000000000000', '01930000-0000-7000-8006-000000000000',
		         'T' || (100000000 + n), 't' || (100000000 + n), (100000000 + n)::text, 'unused', $2, $2 FROM generate_series(0, $3::bigint - 1) AS n`,
			[]any{t.company, now, t.codes}},
		{`VACUUM (ANALYZE) customer, card, product_code`, nil},
		{`CHECKPOINT`, nil},
	} {
		if _, err := conn.Exec(ctx, step.sql, step.args...); err != nil {
			return fmt.Errorf("lay in people and codes: %w", err)
		}
	}
	return nil
}

// wal is the place up to which the database has written ahead, in bytes.
func (t *shimTown) wal(ctx context.Context) (bytes int64, err error) {
	return (&LedgerBank{Installation: t.Installation}).wal(ctx)
}

// shimCaller does one operation after another over a connection of its own.
type shimCaller struct {
	*wire
	request *wireRequest
	// body appends the next request's body.
	body func(dst []byte) ([]byte, error)
	// good is in every answer that says that it was done.
	good []byte
	out  []byte
}

func (c *shimCaller) post() (err error) {
	if c.out, err = c.body(c.out[:0]); err != nil {
		return err
	}
	a, err := c.exchange(c.request.bytes(c.out))
	if err == nil && (a.status != http.StatusOK || a.replayed || !bytes.Contains(a.body, c.good)) {
		err = fmt.Errorf("status %d: %.300s", a.status, a.body)
	}
	return err
}

const (
	saleDocument = `mutation($wallet: String!, $phone: String!, $spent: Decimal!, $ticket: String!, $staff: Int!, $key: String!) {
  movementAccrue(input: {card: {walletKey: $wallet, phone: $phone}, spent: $spent, reference: $ticket, staffNumber: $staff, idempotencyKey: $key, idempotencyHours: 24}) {
    movement { balanceAfter } replayed userErrors { code message }
  }
}`
	accumulateDocument = `mutation($code: String!, $name: String!, $phone: String!) {
  contactAccrue(input: {code: $code, name: $name, phones: [{value: $phone}]}) {
    movement { amount } replayed userErrors { code message }
  }
}`
)

// open connects a caller of a way. Both of a pair say the same.
func (t *shimTown) open(ctx context.Context, way string) (*shimCaller, error) {
	w, err := dialWire(ctx, t.addr)
	if err != nil {
		return nil, err
	}
	c := &shimCaller{wire: w}
	path, header := "/graphql", http.Header{"Authorization": {"Bearer " + t.ServerKey}, "Content-Type": {"application/json"}, "Accept": {"application/json"}}
	document := func(text, fixed string) []byte {
		quoted, _ := json.Marshal(text) // a constant text
		return append(append([]byte(`{"query":`), quoted...), `,"variables":{`+fixed...)
	}
	person := func() int64 { return t.nextPerson.Add(1) % t.people }
	// A code has the number that the counter had.
	code := func() (int64, error) {
		n := t.nextCode.Add(1) - 1
		if n >= t.codes {
			return 0, errors.New("all codes are used: give more by --codes")
		}
		return n, nil
	}
	switch way {
	case waySale:
		path, header = "/wallet/sale", http.Header{"Apikey": {t.WalletKey}, "Content-Type": {"application/x-www-form-urlencoded"}}
		begin := url.Values{"wallet_key": {bankWallet}, "usertool_id": {strconv.FormatInt(t.staff, 10)}, "transaction_type": {"0"},
			"transaction_amount": {strconv.Itoa(shimPoints)}}.Encode() + "&phone="
		c.good = []byte(`"code":"new_sale_01"`)
		c.body = func(dst []byte) ([]byte, error) {
			dst = cardPhone(append(dst, begin...), int32(person()))
			return strconv.AppendInt(append(dst, "&ticket=T"...), t.nextCode.Add(1), 10), nil
		}
	case wayMovementAccrue:
		begin := document(saleDocument, fmt.Sprintf(`"wallet":"%s","staff":%d,"spent":"%d","phone":"`, bankWallet, t.staff, shimPoints))
		c.good = []byte(`"replayed":false,"userErrors":[]`)
		c.body = func(dst []byte) ([]byte, error) {
			dst = cardPhone(append(dst, begin...), int32(person()))
			n := t.nextCode.Add(1)
			dst = strconv.AppendInt(append(dst, `","ticket":"T`...), n, 10)
			return append(strconv.AppendInt(append(dst, `","key":"T`...), n, 10), `"}}`...), nil
		}
	case wayAccumulate:
		path, header = "/accumulate", http.Header{"Apikey": {t.antcrmKey}, "Content-Type": {"application/json"}}
		c.good = []byte(`"success":1`)
		c.body = func(dst []byte) ([]byte, error) {
			n, err := code()
			dst = strconv.AppendInt(append(dst, `{"code":"T`...), 100_000_000+n, 10)
			dst = strconv.AppendInt(append(dst, `","data":{"name":"Persona","phones":[{"value":"`...), 900_000_000+person(), 10)
			return append(dst, `"}]}}`...), err
		}
	case wayContactAccrue:
		begin := document(accumulateDocument, `"name":"Persona","code":"T`)
		c.good = []byte(`"replayed":false,"userErrors":[]`)
		c.body = func(dst []byte) ([]byte, error) {
			n, err := code()
			dst = strconv.AppendInt(append(dst, begin...), 100_000_000+n, 10)
			dst = strconv.AppendInt(append(dst, `","phone":"`...), 900_000_000+person(), 10)
			return append(dst, `"}}`...), err
		}
	}
	c.request = newWireRequest(t.addr, path, header)
	return c, nil
}

// check holds the books against what was answered: by each way as many movements of
// as many points, nothing else, and each code that was used once.
func (t *shimTown) check(ctx context.Context) error {
	var wrong []string
	for _, c := range []struct {
		way, source, cardType string
	}{
		{waySale, "wallet", "monedero"}, {wayMovementAccrue, "graphql", "monedero"},
		{wayAccumulate, "antcrm", pointsProgramme}, {wayContactAccrue, "graphql", pointsProgramme},
	} {
		var movements, points int64
		err := t.Pool.QueryRow(ctx, `SELECT count(*), coalesce(sum(movement.amount), 0)::bigint
			FROM movement JOIN card USING (company_id) JOIN card_type ON card_type.company_id = card.company_id AND card_type.id = card.card_type_id
			WHERE movement.company_id = $1 AND card.id = movement.card_id AND movement.source = $2 AND card_type.code = $3`,
			t.company, c.source, c.cardType).Scan(&movements, &points)
		if err != nil {
			return fmt.Errorf("count the books: %w", err)
		}
		if want := t.done[c.way]; movements != want || points != want*shimPoints {
			wrong = append(wrong, fmt.Sprintf("%s: %d movements of %d points, want %d of %d", c.way, movements, points, want, want*shimPoints))
		}
	}
	var used int64
	if err := t.Pool.QueryRow(ctx, `SELECT count(*) FROM product_code WHERE company_id = $1 AND status = 'used'`, t.company).Scan(&used); err != nil {
		return fmt.Errorf("count the codes: %w", err)
	}
	if want := t.done[wayAccumulate] + t.done[wayContactAccrue]; used != want {
		wrong = append(wrong, fmt.Sprintf("%d codes are used, want %d", used, want))
	}
	return several("the books", wrong)
}
