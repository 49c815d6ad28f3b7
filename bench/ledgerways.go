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
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"
	"github.com/jackc/pgx/v5"

	"sello/db"
)

// The ways in which a posting is made in a ledger run.
const (
	wayGraphQL   = "GraphQL"
	wayWallet    = "wallet shim"
	wayStatement = "CardPost by pgx"
	wayBare      = "bare CTE by pgx"
	wayBeside    = "GraphQL, other build"
)

// told is the answer to one posting.
type told struct {
	// refused is what stood in the way, "" where it was posted.
	refused  string
	replayed bool
	seq      int64 // 0 where the way does not tell it
	balance  int64
}

// caller makes postings over a connection of its own.
type caller interface {
	post(ctx context.Context, run string, d draw) (told, error)
	close() error
}

// way opens callers.
type way struct {
	name string
	// server is the process whose time counts, nil where there is none.
	server *Process
	// repeats says that a key sent again is answered as at first.
	repeats bool
	open    func(ctx context.Context, b *LedgerBank) (caller, error)
}

func graphqlWay(name string, i *Installation, server *Process) way {
	return way{name: name, server: server, repeats: true, open: func(ctx context.Context, b *LedgerBank) (caller, error) {
		w, err := dialWire(ctx, i.addr)
		if err != nil {
			return nil, err
		}
		c := &graphqlCaller{wire: w, bank: b, request: newWireRequest(i.addr, "/graphql", http.Header{
			"Authorization": {"Bearer " + i.ServerKey}, "Content-Type": {"application/json"}, "Accept": {"application/json"},
		})}
		for at, document := range [2]string{accrueDocument, redeemDocument} {
			quoted, err := json.Marshal(document)
			if err != nil {
				return nil, errors.Join(err, w.close())
			}
			c.begin[at] = append(append([]byte(`{"query":`), quoted...), `,"variables":{"code":"`...)
		}
		return c, nil
	}}
}

type graphqlCaller struct {
	*wire
	bank    *LedgerBank
	request *wireRequest
	begin   [2][]byte
	body    []byte
}

func (c *graphqlCaller) post(_ context.Context, run string, d draw) (told, error) {
	begin, points := c.begin[0], d.points
	if points < 0 {
		begin, points = c.begin[1], -points
	}
	body := append(c.body[:0], begin...)
	body = cardCode(body, d.card)
	body = append(body, `","points":"`...)
	body = strconv.AppendInt(body, int64(points), 10)
	body = append(body, `","key":"`...)
	body = d.key(body, run)
	c.body = append(body, `"}}`...)
	a, err := c.exchange(c.request.bytes(c.body))
	if err != nil {
		return told{}, err
	}
	return readGraphQL(a), nil
}

// readGraphQL takes what is wanted out of the answer to our own document, by its
// known form. Anything else is told as it is.
func readGraphQL(a wireAnswer) told {
	t := told{replayed: bytes.Contains(a.body, []byte(`"replayed":true`))}
	var seq, balance bool
	t.seq, seq = numberAfter(a.body, `"seq":`)
	t.balance, balance = numberAfter(a.body, `"balanceAfter":"`)
	if a.status != http.StatusOK || !seq || !balance || !bytes.HasPrefix(a.body, []byte(`{"data":{"post":{"movement":{`)) {
		t.refused = fmt.Sprintf("status %d: %.300s", a.status, a.body)
	}
	return t
}

// numberAfter is the whole number behind the first occurrence of a text.
func numberAfter(body []byte, text string) (int64, bool) {
	at := bytes.Index(body, []byte(text))
	if at < 0 {
		return 0, false
	}
	rest := body[at+len(text):]
	end := 0
	for end < len(rest) && (rest[end] >= '0' && rest[end] <= '9' || end == 0 && rest[end] == '-') {
		end++
	}
	n, err := strconv.ParseInt(string(rest[:end]), 10, 64)
	return n, err == nil
}

func walletWay(i *Installation, server *Process) way {
	return way{name: wayWallet, server: server, repeats: true, open: func(ctx context.Context, b *LedgerBank) (caller, error) {
		w, err := dialWire(ctx, i.addr)
		if err != nil {
			return nil, err
		}
		fixed := url.Values{"wallet_key": {bankWallet}, "usertool_id": {strconv.FormatInt(b.staff, 10)}}.Encode()
		return &walletCaller{wire: w, begin: []byte(fixed + "&phone="), request: newWireRequest(i.addr, "/wallet/sale", http.Header{
			"Apikey": {i.WalletKey}, "Content-Type": {"application/x-www-form-urlencoded"},
		})}, nil
	}}
}

// walletCaller posts as a till does, with the key as its ticket.
type walletCaller struct {
	*wire
	request     *wireRequest
	begin, body []byte
}

func (c *walletCaller) post(_ context.Context, run string, d draw) (told, error) {
	body := cardPhone(append(c.body[:0], c.begin...), d.card)
	if d.points < 0 {
		body = append(body, "&transaction_type=1&points_used="...)
		body = strconv.AppendInt(body, int64(-d.points), 10)
	} else {
		body = append(body, "&transaction_type=0&transaction_amount="...)
		body = strconv.AppendInt(body, int64(d.points), 10)
	}
	body = append(body, "&ticket="...)
	c.body = d.key(body, run)
	a, err := c.exchange(c.request.bytes(c.body))
	if err != nil {
		return told{}, err
	}
	return readWallet(a), nil
}

func readWallet(a wireAnswer) told {
	t := told{replayed: a.replayed}
	var found bool
	t.balance, found = numberAfter(a.body, `"newBalance":`)
	if a.status != http.StatusOK || !found || !bytes.Contains(a.body, []byte(`"success":true`)) {
		t.refused = fmt.Sprintf("status %d: %.300s", a.status, a.body)
	}
	return t
}

// pgxCaller has a connection of its own and posts by SQL alone.
type pgxCaller struct {
	conn *pgx.Conn
	bank *LedgerBank
	sql  func(ctx context.Context, c *pgxCaller, d draw) (told, error)
}

func pgxWay(name string, sql func(ctx context.Context, c *pgxCaller, d draw) (told, error)) way {
	return way{name: name, open: func(ctx context.Context, b *LedgerBank) (caller, error) {
		conn, err := pgx.Connect(ctx, b.options.DatabaseURL)
		if err != nil {
			return nil, fmt.Errorf("connect to the database: %w", err)
		}
		return &pgxCaller{conn: conn, bank: b, sql: sql}, nil
	}}
}

func (c *pgxCaller) post(ctx context.Context, _ string, d draw) (told, error) {
	t, err := c.sql(ctx, c, d)
	if errors.Is(err, pgx.ErrNoRows) {
		t, err = told{refused: "the statement did nothing"}, nil
	}
	return t, err
}

func (c *pgxCaller) close() error { return c.conn.Close(context.Background()) }

// keyLifetime is how long keys of SQL alone are kept, as the server does.
const keyLifetime = 90 * 24 * time.Hour

// postStatement is the server's own statement for a lone posting.
func postStatement(ctx context.Context, c *pgxCaller, d draw) (told, error) {
	amount, err := decimal.New(int64(d.points), 0)
	if err != nil {
		return told{}, err
	}
	action, code := "accrue", string(cardCode(nil, d.card))
	if d.points < 0 {
		action = "redeem"
	}
	key, fingerprint, now := uuid.New(), uuid.New(), time.Now()
	row, err := db.New(c.conn).CardPost(ctx, db.CardPostParams{
		CompanyID: c.bank.company, Action: action, PostedAt: now, Now: now, Source: "graphql", CardCode: &code, Amount: &amount, IsSale: true,
		ActorID: &c.bank.actor, KeyID: &key, Fingerprint: &fingerprint, KeyExpiresAt: now.Add(keyLifetime),
	})
	if err != nil {
		return told{}, err
	}
	balance, _, _ := row.BalanceAfter.Int64(0)
	return told{seq: row.Seq, balance: balance}, nil
}

// bareCTE is the least that a posting can be on our tables: card, key, event and
// movement in one statement, the card named by its id, nothing looked up and
// nothing checked but that the card is enabled and has what is taken.
const bareCTE = `
WITH moved AS (
    UPDATE card SET balance = balance + $3::bigint, seq = seq + 1, updated_at = $6
    WHERE company_id = $1 AND id = $2 AND status = 'enabled' AND balance + $3::bigint - held >= floor
    RETURNING seq, balance
), keyed AS (
    INSERT INTO idempotency_key (company_id, id, fingerprint, card_id, seq, expires_at)
    SELECT $1, $4, $5, $2, seq, $7 FROM moved
), told AS (
    INSERT INTO event (company_id, kind, subject_id, seq, recorded_at)
    SELECT $1, 'movement_posted', $2, seq, $6 FROM moved
)
INSERT INTO movement (company_id, card_id, seq, action, amount, balance_after, posted_at, recorded_at, source, actor_id)
SELECT $1, $2, seq, CASE WHEN $3::bigint < 0 THEN 'redeem' ELSE 'accrue' END, $3::bigint, balance, $6, $6, 'graphql', $8 FROM moved
RETURNING seq, balance_after::bigint`

func postBareCTE(ctx context.Context, c *pgxCaller, d draw) (told, error) {
	var t told
	now := time.Now()
	err := c.conn.QueryRow(ctx, bareCTE, c.bank.company, cardID(d.card), int64(d.points), uuid.New(), uuid.New(), now, now.Add(keyLifetime), c.bank.actor).
		Scan(&t.seq, &t.balance)
	return t, err
}
