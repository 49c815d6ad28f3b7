package bench

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/jackc/pgx/v5"
)

// chaosDamage alters one row by direct SQL, and puts it back. find names the row: a
// card, what it is altered to and what it is.
type chaosDamage struct{ what, find, set string }

// chaosDamages are one row of each sort. The card is the one with the most movements.
var chaosDamages = []chaosDamage{
	{"a card's balance", `SELECT card.id, '-', card.balance + 0.01, card.balance FROM card ORDER BY card.seq DESC, card.id LIMIT 1`,
		`UPDATE card SET balance = $2 WHERE id = $1 AND $3::text IS NOT NULL`},
	{"a movement's amount", `
		SELECT m.card_id, m.seq::text, m.amount + 0.01, m.amount
		FROM (SELECT id, seq FROM card ORDER BY seq DESC, id LIMIT 1) AS busiest
		JOIN movement AS m ON m.card_id = busiest.id AND m.seq > busiest.seq / 2 AND m.action = 'accrue' ORDER BY m.seq LIMIT 1`,
		`UPDATE movement SET amount = $2 WHERE card_id = $1 AND seq = $3::text::bigint`},
	{"what is left of a lot", `
		SELECT card_id, seq || '/' || part, remaining - 0.01, remaining FROM lot WHERE state = 'open' AND remaining > 1 ORDER BY lot.seq DESC, lot.card_id LIMIT 1`,
		`UPDATE lot SET remaining = $2 WHERE card_id = $1 AND seq || '/' || part = $3::text`},
}

// tamper alters rows, each in turn, wants `sello verify` to end with exit code 4 and
// to name the card, and wants it clean when the row is back.
func tamper(ctx context.Context, i *Installation, conn *pgx.Conn) (told []string, err error) {
	// Triggers forbid what this does; whoever can alter rows can set them aside.
	if _, err := conn.Exec(ctx, `SET session_replication_role = replica`); err != nil {
		return nil, fmt.Errorf("set triggers aside: %w", err)
	}
	for _, d := range chaosDamages {
		line, err := d.proveFound(ctx, i, conn)
		if err != nil {
			return told, fmt.Errorf("%s altered by direct SQL: %w", d.what, err)
		}
		told = append(told, d.what+": "+line)
	}
	return told, i.Verify(ctx)
}

func (d chaosDamage) proveFound(ctx context.Context, i *Installation, conn *pgx.Conn) (line string, err error) {
	var card, row, altered, was string
	err = conn.QueryRow(ctx, fmt.Sprintf(`SELECT f.card::text, f.row, f.altered::text, f.was::text FROM (%s) AS f (card, row, altered, was)`, d.find)).
		Scan(&card, &row, &altered, &was)
	if err != nil {
		return "", fmt.Errorf("find a row: %w", err)
	}
	set := func(value string) error {
		tag, err := conn.Exec(ctx, d.set, card, value, row)
		if err == nil && tag.RowsAffected() != 1 {
			err = fmt.Errorf("%d rows were altered", tag.RowsAffected())
		}
		return err
	}
	if err := set(altered); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, set(was)) }()
	out, err := run(ctx, i.options.Binary, []string{"verify"}, i.env, "")
	if err == nil {
		return "", errors.New("verify found the books right")
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != exitWrong {
		return "", fmt.Errorf("verify did not come to its end: %w", err)
	}
	for found := range strings.Lines(out) {
		if strings.Contains(found, card) {
			return strings.TrimSpace(found), nil
		}
	}
	return "", fmt.Errorf("verify named another row than that of card %s:\n%s", card, out)
}

// exitWrong is the exit code of a check that failed.
const exitWrong = 4
