package bench

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// chaosRecord is what the clients were told, one line a send, in a file: the memory
// of a run does not grow with it, and no database that is stopped has to hold it. Its
// lines are PostgreSQL's COPY text.
type chaosRecord struct {
	file  *os.File
	out   *bufio.Writer
	line  []byte
	sends int64
}

func newChaosRecord(dir string) (*chaosRecord, error) {
	f, err := os.Create(filepath.Join(dir, "answers"))
	if err != nil {
		return nil, fmt.Errorf("record answers: %w", err)
	}
	return &chaosRecord{file: f, out: bufio.NewWriterSize(f, 1<<20)}, nil
}

// add writes one send and what was told.
func (r *chaosRecord) add(o *chaosOp, t chaosTold) error {
	r.sends++
	b := strconv.AppendInt(r.line[:0], o.n, 10)
	b = append(b, '\t')
	b = append(b, o.kind.name...)
	b = append(b, '\t')
	b = append(b, t.outcome...)
	for _, m := range []chaosMovement{t.line, t.other} {
		if m.owner == uuid.Nil {
			b = append(b, "\t\\N\t\\N\t\\N\t\\N\t\\N"...)
			continue
		}
		b = append(append(b, '\t'), m.owner.String()...)
		b = strconv.AppendInt(append(b, '\t'), m.seq, 10)
		b = append(append(b, '\t'), m.action...)
		b = append(append(b, '\t'), m.amount...)
		b = append(append(b, '\t'), m.balance...)
	}
	b = append(append(b, '\t'), t.digest.String()...)
	r.line = append(b, '\n')
	if _, err := r.out.Write(r.line); err != nil {
		return fmt.Errorf("record answers: %w", err)
	}
	return nil
}

// chaosSchema holds what the proof compares the books with, beside them. opening is
// where each card and coupon stood when the run began.
const chaosSchema = `
CREATE SCHEMA chaos;
CREATE TABLE chaos.opening (card_id uuid PRIMARY KEY, seq bigint NOT NULL);
CREATE TABLE chaos.kind (kind text PRIMARY KEY, actions text[] NOT NULL, keyed boolean NOT NULL);
CREATE UNLOGGED TABLE chaos.answer (
    n bigint NOT NULL, kind text NOT NULL, outcome text NOT NULL,
    card_id uuid, seq bigint, action text, amount numeric, balance numeric,
    other_card_id uuid, other_seq bigint, other_action text, other_amount numeric, other_balance numeric,
    digest uuid NOT NULL
);`

// prepareChaos makes the schema, and notes where the cards stand.
func prepareChaos(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Exec(ctx, chaosSchema); err != nil {
		return fmt.Errorf("prepare the proof: %w", err)
	}
	for _, k := range chaosKinds {
		if _, err := conn.Exec(ctx, `INSERT INTO chaos.kind (kind, actions, keyed) VALUES ($1, $2, $3)`, k.name, k.actions, k.keyed); err != nil {
			return fmt.Errorf("prepare the proof: %w", err)
		}
	}
	// And the planner is told of the cards, as it knows them in a database in use: a
	// minute would pass until it learns by itself.
	if _, err := conn.Exec(ctx, `INSERT INTO chaos.opening (card_id, seq) SELECT id, seq FROM card; ANALYZE`); err != nil {
		return fmt.Errorf("prepare the proof: %w", err)
	}
	return nil
}

// load copies the record beside the books.
func (r *chaosRecord) load(ctx context.Context, conn *pgx.Conn) error {
	if err := r.out.Flush(); err != nil {
		return fmt.Errorf("record answers: %w", err)
	}
	if _, err := r.file.Seek(0, 0); err != nil {
		return fmt.Errorf("read the record: %w", err)
	}
	tag, err := conn.PgConn().CopyFrom(ctx, bufio.NewReaderSize(r.file, 1<<20), `COPY chaos.answer FROM STDIN`)
	if err != nil {
		return fmt.Errorf("load the record: %w", err)
	}
	if tag.RowsAffected() != r.sends {
		return fmt.Errorf("load the record: %d lines, want %d", tag.RowsAffected(), r.sends)
	}
	return nil
}

func (r *chaosRecord) close() { r.file.Close() }
