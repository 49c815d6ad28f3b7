package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// LedgerBank is an installation with many cards and what has to be on them. Its
// stock is laid in by statements over whole tables: a million movements take
// seconds.
type LedgerBank struct {
	*Installation
	Server *Process

	company uuid.UUID
	// actor stands in the movements of the stock and of SQL alone; the server puts
	// its key's id, which is as long.
	actor   uuid.UUID
	staff   int64
	balance []int64 // expected, by card
	seq     []int64 // expected, by card
	stock   int64   // movements that were there before
	keys    int64   // idempotency keys that were there before
	posted  int64
}

// ledgerOpening is what each card begins with: more than a run takes.
const ledgerOpening = 100_000_000

// firstCard is the id of card 0; ids go up by one, as those of a time-ordered
// generator do.
var firstCard = uuid.MustParse("01930000-0000-7000-8000-000000000000")

func cardID(n int32) uuid.UUID {
	id := firstCard
	for i := 15; n > 0; i-- {
		id[i] = byte(n)
		n >>= 8
	}
	return id
}

// cardCode and cardPhone append the two names of a card.
func cardCode(dst []byte, n int32) []byte {
	return strconv.AppendInt(dst, 7_000_000_000_000_000+int64(n), 10)
}

func cardPhone(dst []byte, n int32) []byte {
	return strconv.AppendInt(dst, 5_500_000_000+int64(n), 10)
}

// NewLedgerBank starts a server and lays in cards and movements, the same number
// on each card and at least one.
func NewLedgerBank(ctx context.Context, i *Installation, cards, movements int) (*LedgerBank, error) {
	b := &LedgerBank{Installation: i, actor: uuid.New(), balance: make([]int64, cards), seq: make([]int64, cards)}
	var err error
	if b.Server, err = i.Serve(ctx); err != nil {
		return nil, err
	}
	if b.staff, err = i.tillAndWallet(ctx); err != nil {
		return nil, err
	}
	each := int64(max(1, movements/cards))
	for n := range cards {
		b.balance[n], b.seq[n] = ledgerOpening+each-1, each
	}
	return b, b.layIn(ctx, cards, each)
}

func (b *LedgerBank) layIn(ctx context.Context, cards int, each int64) error {
	conn, err := pgx.Connect(ctx, b.options.DatabaseURL)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var cardType uuid.UUID
	if err := conn.QueryRow(ctx, `SELECT company_id, id FROM card_type WHERE wallet_key = $1`, bankWallet).Scan(&b.company, &cardType); err != nil {
		return fmt.Errorf("find the wallet: %w", err)
	}
	const cardOf = `(left($2::text, 24) || lpad(to_hex(n), 12, '0'))::uuid`
	for _, step := range []struct {
		sql  string
		args []any
	}{
		{`SET synchronous_commit = off`, nil}, // of this connection only
		{`INSERT INTO card (company_id, id, card_type_id, code, status, balance, seq, holder_name, holder_phone, registered_at, created_at, updated_at)
		  SELECT $1, ` + cardOf + `, $3, (7000000000000000 + n)::text, 'enabled', $4::bigint + $5::bigint - 1, $5::bigint, 'Contacto ' || n, (5500000000 + n)::text, $6, $6, $6
		  FROM generate_series(0, $7::bigint - 1) AS n`,
			[]any{b.company, firstCard, cardType, int64(ledgerOpening), each, time.Now(), int64(cards)}},
		{`INSERT INTO movement (company_id, card_id, seq, action, amount, balance_after, posted_at, recorded_at, source, actor_id)
		  SELECT $1, ` + cardOf + `, s, 'accrue', CASE WHEN s = 1 THEN $3::bigint ELSE 1 END, $3::bigint + s - 1, $5, $5, 'graphql', $6
		  FROM generate_series(0, $7::bigint - 1) AS n, generate_series(1, $4::bigint) AS s`,
			[]any{b.company, firstCard, int64(ledgerOpening), each, time.Now(), b.actor, int64(cards)}},
		// A tenth of the movements have a key that is still kept.
		{`INSERT INTO idempotency_key (company_id, id, fingerprint, card_id, seq, expires_at)
		  SELECT $1, gen_random_uuid(), gen_random_uuid(), ` + cardOf + `, s, $3
		  FROM generate_series(0, $4::bigint - 1) AS n, generate_series(1, $5::bigint) AS s WHERE (n + s) % 10 = 0`,
			[]any{b.company, firstCard, time.Now().Add(keyLifetime), int64(cards), each}},
	} {
		if _, err := conn.Exec(ctx, step.sql, step.args...); err != nil {
			return fmt.Errorf("lay in cards and movements: %w", err)
		}
	}
	if err := b.settle(ctx); err != nil {
		return err
	}
	return conn.QueryRow(ctx, `SELECT (SELECT count(*) FROM movement), (SELECT count(*) FROM idempotency_key)`).Scan(&b.stock, &b.keys)
}

// settle leaves the tables as a database in use has them: vacuumed, analyzed,
// written back.
func (b *LedgerBank) settle(ctx context.Context) error {
	for _, sql := range []string{`VACUUM (ANALYZE) card, movement, idempotency_key, event`, `CHECKPOINT`} {
		if _, err := b.Pool.Exec(ctx, sql); err != nil {
			return fmt.Errorf("settle the tables: %w", err)
		}
	}
	return nil
}

// checkCards compares every card with the model: balances are sums of what was
// answered, and seq counts it.
func (b *LedgerBank) checkCards(ctx context.Context) error {
	rows, err := b.Pool.Query(ctx, `SELECT id, balance::bigint, seq FROM card WHERE company_id = $1 ORDER BY id`, b.company)
	if err != nil {
		return fmt.Errorf("read the cards: %w", err)
	}
	var (
		id           uuid.UUID
		balance, seq int64
		n            int
		wrong        []string
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &balance, &seq}, func() error {
		switch {
		case n >= len(b.balance) || id != cardID(int32(n)):
			wrong = append(wrong, fmt.Sprintf("card %s is none of ours", id))
		case balance != b.balance[n] || seq != b.seq[n]:
			wrong = append(wrong, fmt.Sprintf("card %d: got %d after %d movements, want %d after %d", n, balance, seq, b.balance[n], b.seq[n]))
		}
		n++
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the cards: %w", err)
	}
	if n != len(b.balance) {
		wrong = append(wrong, fmt.Sprintf("%d cards, want %d", n, len(b.balance)))
	}
	return several("balances", wrong)
}

// checkBooks wants as many movements and keys as were answered, every card right,
// and the books in order.
func (b *LedgerBank) checkBooks(ctx context.Context) error {
	var movements, keys, events int64
	err := b.Pool.QueryRow(ctx, `SELECT (SELECT count(*) FROM movement), (SELECT count(*) FROM idempotency_key),
		(SELECT count(*) FROM event WHERE kind = 'movement_posted')`).Scan(&movements, &keys, &events)
	if err != nil {
		return fmt.Errorf("count the books: %w", err)
	}
	for _, c := range []struct {
		name      string
		got, want int64
	}{
		{"movements", movements - b.stock, b.posted}, {"idempotency keys", keys - b.keys, b.posted}, {"events", events, b.posted},
	} {
		if c.got != c.want {
			err = errors.Join(err, fmt.Errorf("%s: got %d, want one for each of %d answers", c.name, c.got, c.want))
		}
	}
	return errors.Join(err, b.checkCards(ctx), b.Verify(ctx))
}

// bytesAMovement are those of a row of the books with its indexes.
func (b *LedgerBank) bytesAMovement(ctx context.Context) (bytes float64, err error) {
	err = b.Pool.QueryRow(ctx, `SELECT pg_total_relation_size('movement')::float8 / count(*) FROM movement`).Scan(&bytes)
	if err != nil {
		err = fmt.Errorf("measure the movements: %w", err)
	}
	return bytes, err
}

// awaitAlone waits until the connections of all servers have ended.
func (b *LedgerBank) awaitAlone(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 30*time.Second, errors.New("connections of a server that has ended are still open"))
	defer cancel()
	return Await(ctx, func() (alone bool, err error) {
		err = b.Pool.QueryRow(ctx, `SELECT NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE application_name = 'sello' AND datname = current_database())`).Scan(&alone)
		return alone, err
	})
}

// updates are those of cards so far, and the heap-only ones among them. The
// database learns of a connection's when that ends.
func (b *LedgerBank) updates(ctx context.Context) (all, hot int64, err error) {
	err = b.Pool.QueryRow(ctx, `SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'card'`).Scan(&all, &hot)
	if err != nil {
		err = fmt.Errorf("read the updates of cards: %w", err)
	}
	return all, hot, err
}

// wal is the place up to which the database has written ahead, in bytes.
func (b *LedgerBank) wal(ctx context.Context) (bytes int64, err error) {
	if err = b.Pool.QueryRow(ctx, `SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint`).Scan(&bytes); err != nil {
		err = fmt.Errorf("read the place of the write-ahead log: %w", err)
	}
	return bytes, err
}
