package bench

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// BareRun is a file that was applied by hand-written SQL.
type BareRun struct {
	Rows int           `json:"rows"`
	Took time.Duration `json:"took_ns"`
}

// RowsPerSecond is from the first byte of COPY to the last commit.
func (r BareRun) RowsPerSecond() float64 { return float64(r.Rows) / r.Took.Seconds() }

// bareChunk is the lines of one transaction.
const bareChunk = 20_000

// BareApply does with a file what somebody would write by hand who has one file to load
// and nobody to answer to: COPY into an unlogged table, then chunks of one statement
// each, which leave bad rows out without a word. It does so to a second company that is
// like the first before the file is imported, and is forgotten afterwards.
func (m *Importer) BareApply(ctx context.Context, f *PointsFile) (r BareRun, err error) {
	conn, err := pgx.Connect(ctx, m.options.DatabaseURL)
	if err != nil {
		return r, fmt.Errorf("connect to apply by hand: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var company [16]byte
	if err := conn.QueryRow(ctx, `
		INSERT INTO company (id, code, name, time_zone, language, currency, phone_prefix, created_at, updated_at)
		SELECT gen_random_uuid(), 'bare-' || left(md5(random()::text), 12), name, time_zone, language, currency, phone_prefix, created_at, updated_at
		FROM company WHERE id = (SELECT company_id FROM company_setting WHERE name = 'points_card_type' ORDER BY company_id LIMIT 1)
		RETURNING id`).Scan(&company); err != nil {
		return r, fmt.Errorf("make a company to apply to: %w", err)
	}
	for _, sql := range []string{
		`INSERT INTO card_type (company_id, id, code, name, unit, scale, created_at, updated_at)
			SELECT $1, id, code, name, unit, scale, created_at, updated_at FROM card_type WHERE company_id = (SELECT company_id FROM company_setting WHERE name = 'points_card_type' ORDER BY company_id LIMIT 1)`,
		`INSERT INTO customer (company_id, id, first_name, last_name, email, document, document_key, qr_code, name_key, first_key, created_at, updated_at)
			SELECT $1, id, first_name, last_name, email, document, document_key, qr_code, name_key, first_key, created_at, updated_at
			FROM customer WHERE company_id = (SELECT company_id FROM company_setting WHERE name = 'points_card_type' ORDER BY company_id LIMIT 1)`,
		`INSERT INTO card (company_id, id, card_type_id, customer_id, code, status, balance, seq, registered_at, created_at, updated_at)
			SELECT $1, id, card_type_id, customer_id, code, status, 0, 0, registered_at, created_at, updated_at
			FROM card WHERE company_id = (SELECT company_id FROM company_setting WHERE name = 'points_card_type' ORDER BY company_id LIMIT 1)`,
	} {
		if _, err := conn.Exec(ctx, sql, company); err != nil {
			return r, fmt.Errorf("fill a company to apply to: %w", err)
		}
	}
	if _, err := conn.Exec(ctx, `
		DROP TABLE IF EXISTS bench_apply;
		CREATE UNLOGGED TABLE bench_apply (line integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, nombres text, apellidos text, email text, documento text, puntos text, nota text);
		ANALYZE customer, card, card_type`); err != nil {
		return r, fmt.Errorf("make a table to apply from: %w", err)
	}
	file, err := os.Open(f.PlainPath)
	if err != nil {
		return r, err
	}
	defer file.Close()
	begun := time.Now()
	if _, err := conn.PgConn().CopyFrom(ctx, file, `COPY bench_apply (nombres, apellidos, email, documento, puntos, nota) FROM STDIN `+f.copyOptions()); err != nil {
		return r, fmt.Errorf("copy to apply by hand: %w", err)
	}
	for line := 0; line < f.PlainRows; line += bareChunk {
		if err := bareStep(ctx, conn, company, line); err != nil {
			return r, fmt.Errorf("apply by hand: %w", err)
		}
	}
	r.Took, r.Rows = time.Since(begun), f.PlainRows
	var points int64
	err = conn.QueryRow(ctx, `SELECT coalesce(sum(balance), 0)::bigint FROM card WHERE company_id = $1`, company).Scan(&points)
	if err == nil && points < f.Points*9/10 {
		err = fmt.Errorf("apply by hand: got %d points, want about %d: it did less than its work", points, f.Points)
	}
	if _, dropErr := conn.Exec(ctx, `DROP TABLE bench_apply`); err == nil {
		err = dropErr
	}
	return r, err
}

// bareStep applies one chunk in a transaction.
func bareStep(ctx context.Context, conn *pgx.Conn, company [16]byte, after int) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, bareChunkSQL, company, after, after+bareChunk)
		return err
	})
}

const bareChunkSQL = `
WITH chunk AS MATERIALIZED (
    SELECT DISTINCT ON (good.email) good.*
    FROM (SELECT line, btrim(nombres) AS first_name, nullif(btrim(apellidos), '') AS last_name, lower(btrim(email)) AS email,
                 nullif(lower(btrim(documento)), '') AS document,
                 coalesce(nullif(split_part(replace(btrim(puntos), ',', '.'), '.', 1), ''), '0')::bigint AS points
          FROM bench_apply
          WHERE line > $2 AND line <= $3 AND btrim(nombres) <> '' AND length(nombres) <= 120 AND length(coalesce(apellidos, '')) <= 120
            AND btrim(email) ~ '^[^@[:space:]]+@[^@[:space:]]+[.][^@[:space:]]+$'
            AND btrim(coalesce(documento, '')) ~ '^([[:alnum:].-]{3,30})?$'
            AND btrim(coalesce(puntos, '')) ~ '^([0-9]{1,6}([.,]0{1,2})?)?$') AS good
    ORDER BY good.email, good.line
), found AS MATERIALIZED (
    SELECT chunk.*, customer.id AS customer_id, gen_random_uuid() AS new_id, count(*) OVER (PARTITION BY chunk.document) AS carriers,
           (SELECT card.id FROM card WHERE card.company_id = $1 AND card.customer_id = customer.id LIMIT 1) AS card_id
    FROM chunk
    LEFT JOIN customer ON customer.company_id = $1 AND customer.email = chunk.email
    LEFT JOIN customer AS owner ON owner.company_id = $1 AND owner.document_key = chunk.document AND owner.email <> chunk.email
    WHERE owner.id IS NULL
), fresh AS MATERIALIZED (
    SELECT DISTINCT ON (coalesce(document, email)) * FROM found WHERE customer_id IS NULL
), created AS (
    INSERT INTO customer (company_id, id, first_name, last_name, email, document, document_key, qr_code, name_key, created_at, updated_at)
    SELECT $1, new_id, first_name, last_name, email, document, document, 'PRT-' || new_id, lower(first_name), now(), now() FROM fresh
), opened AS (
    INSERT INTO card (company_id, id, card_type_id, customer_id, code, status, balance, seq, registered_at, created_at, updated_at)
    SELECT $1, new_id, (SELECT id FROM card_type WHERE company_id = $1 LIMIT 1), new_id, 'PRT-' || new_id, 'enabled',
           points, least(points, 1), now(), now(), now()
    FROM fresh
    RETURNING id, seq, balance, balance AS points
), filled AS (
    UPDATE customer SET last_name = coalesce(customer.last_name, found.last_name), document = coalesce(customer.document, CASE WHEN found.carriers = 1 THEN found.document END),
           document_key = coalesce(customer.document_key, CASE WHEN found.carriers = 1 THEN found.document END), updated_at = now()
    FROM found
    WHERE customer.company_id = $1 AND customer.id = found.customer_id
      AND (customer.last_name IS NULL AND found.last_name IS NOT NULL OR customer.document_key IS NULL AND found.document IS NOT NULL)
), moved AS (
    UPDATE card SET balance = card.balance + found.points, seq = card.seq + 1, updated_at = now()
    FROM found
    WHERE card.company_id = $1 AND card.id = found.card_id AND found.points > 0
    RETURNING card.id, card.seq, card.balance, found.points
), posted AS MATERIALIZED (
    SELECT * FROM moved UNION ALL SELECT * FROM opened WHERE points > 0 ORDER BY 1
), told AS (
    INSERT INTO event (company_id, kind, subject_id, seq, recorded_at) SELECT $1, 'movement_posted', id, seq, now() FROM posted
)
INSERT INTO movement (company_id, card_id, seq, action, amount, balance_after, posted_at, recorded_at, source)
SELECT $1, id, seq, 'accrue', points, balance, now(), now(), 'bare' FROM posted`

// CallRun is rows that were posted by a call each.
type CallRun struct {
	Calls  int    `json:"calls"`
	Window Window `json:"window"`
}

// each is the CPU time of a call, of the program and the database.
func (r CallRun) each() time.Duration { return r.Window.cpu() / time.Duration(max(1, r.Calls)) }

// each is the CPU time of a row, of the program and the database.
func (r ImportRun) each() time.Duration { return r.Window.cpu() / time.Duration(max(1, r.Rows)) }

// cpu is what the program and the database used together.
func (w Window) cpu() time.Duration {
	sum := w.Database
	for _, u := range w.Processes {
		sum += u.CPU
	}
	return sum
}

// Call gives points to so many customers of a file by the API's call for one.
func (m *Importer) Call(ctx context.Context, f *PointsFile, calls int) (r CallRun, err error) {
	w := openWindow(m.options.DatabasePID, m.Server, m.worker)
	for email := range f.Good {
		if r.Calls == calls {
			break
		}
		r.Calls++
		resp, err := m.Client.do(ctx, http.MethodPost, "/api/v1/clientes/"+email+"/puntos/asignar", m.pretii("application/json"), strings.NewReader(`{"puntos":1}`))
		if err != nil {
			return r, fmt.Errorf("give points by a call: %w", err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusCreated {
			return r, fmt.Errorf("give points by a call: status %d", resp.StatusCode)
		}
	}
	r.Window = w.close()
	return r, nil
}
