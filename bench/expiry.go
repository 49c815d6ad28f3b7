package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"sello/db"
)

// ExpiryOptions shape `sello bench expiry`. Binary is required.
type ExpiryOptions struct {
	Binary, PostgresBin string
	Lots, Kills         int
	// Say, if set, tells what happens.
	Say func(format string, args ...any)
}

// The clock of the measured programme: the policy changes on the first day, and by
// the last all that was earned has ended.
var (
	expiryFrom  = time.Date(2026, time.March, 2, 12, 0, 0, 0, time.UTC)
	expiryUntil = expiryFrom.AddDate(0, 0, expiryDays+1)
)

// expiryDays is after how many days points end by the new policy.
const expiryDays = 45

// ExpiryReport is what `sello bench expiry` measures and proves.
type ExpiryReport struct {
	Settings map[string]string `json:"database_settings"`
	Cards    int               `json:"cards"`
	Lots     int               `json:"lots"`
	// Preview foretold how much ends on how many days; Applied is the policy's job.
	Preview time.Duration `json:"preview_ns"`
	Applied time.Duration `json:"applied_ns"`
	Days    int           `json:"days"`
	Amount  string        `json:"amount"`
	// KilledAt are the lots that had ended when the run over the days was killed.
	KilledAt []int `json:"killed_at_lots"`
	// Job ends all lots at once in batches; ByHand is its statement over all of them.
	Job    time.Duration `json:"job_ns"`
	ByHand time.Duration `json:"by_hand_ns"`
}

// Print writes the report for people.
func (r ExpiryReport) Print(w io.Writer) {
	printSettings(w, r.Settings)
	rate := func(d time.Duration) float64 { return float64(r.Lots) / d.Seconds() }
	fmt.Fprintf(w, "%d lots on %d cards; preview in %s: %s end on %d days\n", r.Lots, r.Cards, seconds(r.Preview), r.Amount, r.Days)
	fmt.Fprintf(w, "policy applied  %9.0f lots/s  in %s\n", rate(r.Applied), seconds(r.Applied))
	fmt.Fprintf(w, "points_expire   %9.0f lots/s  all due at once, in %s\n", rate(r.Job), seconds(r.Job))
	fmt.Fprintf(w, "SQL by hand     %9.0f lots/s  the same in one statement, in %s\n", rate(r.ByHand), seconds(r.ByHand))
	fmt.Fprintf(w, "ratio           %9.2f\n", r.ByHand.Seconds()/r.Job.Seconds())
	fmt.Fprintf(w, "with SIGKILL    day by day, killed at %v lots; run again: nothing\n", r.KilledAt)
	fmt.Fprintln(w, "                every day lost what was foreseen, to the last decimal, verify clean")
}

// expirer is an installation without processes, and the programme whose points end.
type expirer struct {
	*Installation
	company  uuid.UUID
	cardType uuid.UUID
}

// MeasureExpiry makes lots, previews a policy, changes it and lets the days pass
// while the job is killed; on copies of the same rows it measures the job beside its
// statement run by hand. An error tells what was wrong with the outcome.
func MeasureExpiry(ctx context.Context, o ExpiryOptions) (r ExpiryReport, err error) {
	d, err := StartDatabase(ctx, o.PostgresBin)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, d.Stop()) }()
	inst, err := Install(ctx, InstallOptions{Binary: o.Binary, DatabaseURL: d.URL, DatabasePID: d.PID})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, inst.Close()) }()
	say := o.Say
	if say == nil {
		say = func(string, ...any) {}
	}
	r.Settings, r.Lots, r.Cards = d.Settings, o.Lots, (o.Lots+3)/4
	e := &expirer{Installation: inst}
	say("making %d lots on %d cards", r.Lots, r.Cards)
	if err := e.fill(ctx, r.Lots); err != nil {
		return r, err
	}

	say("previewing")
	begun := time.Now()
	out, err := e.step(ctx, "preview", expiryFrom, expiryFrom)
	if err != nil {
		return r, err
	}
	r.Preview = time.Since(begun)
	foreseen := map[string]string{}
	if err := json.Unmarshal([]byte(out), &foreseen); err != nil {
		return r, fmt.Errorf("read the preview: %w", err)
	}
	r.Days = len(foreseen)
	say("changing the policy")
	if _, err := e.step(ctx, "set", expiryFrom, expiryFrom); err != nil {
		return r, err
	}
	begun = time.Now()
	if _, err := e.step(ctx, "apply", expiryFrom, expiryFrom); err != nil {
		return r, err
	}
	r.Applied = time.Since(begun)

	say("measuring the job beside its statement")
	if r.Job, r.ByHand, err = e.compare(ctx, d.URL); err != nil {
		return r, err
	}
	say("day by day, killed %d times", o.Kills)
	if r.KilledAt, err = e.passDays(ctx, r.Lots, o.Kills); err != nil {
		return r, err
	}
	lost, err := e.lost(ctx)
	if err != nil {
		return r, err
	}
	if err := sameDays(foreseen, lost); err != nil {
		return r, err
	}
	if err := e.Pool.QueryRow(ctx, `SELECT trim_scale(-sum(amount))::text FROM movement WHERE action = 'expire'`).Scan(&r.Amount); err != nil {
		return r, fmt.Errorf("sum what was lost: %w", err)
	}
	return r, e.Verify(ctx)
}

// fill makes a card type that keeps lots for 400 days and cards of four lots each,
// earned over the last forty days; a third of the cards have spent of their first.
func (e *expirer) fill(ctx context.Context, lots int) error {
	if err := e.Pool.QueryRow(ctx, `SELECT id FROM company WHERE code = $1`, Company).Scan(&e.company); err != nil {
		return fmt.Errorf("read the company: %w", err)
	}
	e.cardType = e.company
	for _, sql := range []string{
		`INSERT INTO card_type (company_id, id, code, name, unit, scale, expiry_policy, expiry_count, expiry_unit, tracks_lots, expiry_version, created_at, updated_at)
		 VALUES ($1, $1, 'puntos', 'Puntos', 'points', 4, 'after', 400, 'day', true, 1, $2, $2)`,
		`CREATE TEMP TABLE lot_drawn AS
		 SELECT n, ('00000000-0000-7000-8000-' || lpad(to_hex(n / 4), 12, '0'))::uuid AS card_id, n % 4 + 1 AS seq,
		        (10 + n * 7919 % 9999991)::numeric / 10000 AS amount, $2::timestamptz - make_interval(days => ((n * 31) % 40)::integer) AS at,
		        (n / 4) % 3 = 0 AND n % 4 = 0 AS spent
		 FROM generate_series(0, $3::bigint - 1) AS n WHERE $1::uuid IS NOT NULL`,
		`INSERT INTO card (company_id, id, card_type_id, code, status, balance, seq, expiry_version, registered_at, created_at, updated_at)
		 SELECT $1, card_id, $1, 'c' || card_id, 'enabled', sum(CASE WHEN spent THEN amount - round(amount / 3, 4) ELSE amount END),
		        count(*) + count(*) FILTER (WHERE spent), 1, $2, $2, $2
		 FROM lot_drawn WHERE $3::bigint > 0 GROUP BY card_id`,
		`INSERT INTO movement (company_id, card_id, seq, action, amount, balance_after, posted_at, recorded_at, source)
		 SELECT $1, card_id, seq, 'accrue', amount, sum(amount) OVER (PARTITION BY card_id ORDER BY seq), at, at, 'bench' FROM lot_drawn WHERE $2::timestamptz IS NOT NULL AND $3::bigint > 0`,
		`INSERT INTO movement (company_id, card_id, seq, action, amount, balance_after, posted_at, recorded_at, source)
		 SELECT $1, card.id, card.seq, 'redeem', -round(lot_drawn.amount / 3, 4), card.balance, $2, $2, 'bench'
		 FROM lot_drawn JOIN card ON card.company_id = $1 AND card.id = lot_drawn.card_id WHERE lot_drawn.spent AND round(lot_drawn.amount / 3, 4) > 0 AND $3::bigint > 0`,
		`INSERT INTO lot (company_id, card_id, seq, part, state, amount, remaining, earned_on, expires_on, priority)
		 SELECT $1, card_id, seq, 0, 'open', amount, CASE WHEN spent THEN amount - round(amount / 3, 4) ELSE amount END,
		        (at AT TIME ZONE 'America/Lima')::date, (at AT TIME ZONE 'America/Lima')::date + 400, 100
		 FROM lot_drawn WHERE $2::timestamptz IS NOT NULL AND $3::bigint > 0`,
		`INSERT INTO lot_entry (company_id, card_id, seq, lot_seq, lot_part, amount)
		 SELECT $1, card.id, card.seq, lot_drawn.seq, 0, -round(lot_drawn.amount / 3, 4)
		 FROM lot_drawn JOIN card ON card.company_id = $1 AND card.id = lot_drawn.card_id WHERE lot_drawn.spent AND $2::timestamptz IS NOT NULL AND $3::bigint > 0`,
	} {
		if err := e.exec(ctx, sql, lots); err != nil {
			return err
		}
	}
	_, err := e.Pool.Exec(ctx, `ANALYZE`)
	return err
}

// exec runs a statement of fill; its temporary table lives on one connection.
func (e *expirer) exec(ctx context.Context, sql string, lots int) error {
	sql = strings.ReplaceAll(strings.ReplaceAll(sql, "CREATE TEMP TABLE lot_drawn", "CREATE UNLOGGED TABLE lot_drawn"), "$1", "'"+e.company.String()+"'")
	sql = strings.ReplaceAll(sql, "$2", "'"+expiryFrom.Format(time.RFC3339)+"'::timestamptz")
	sql = strings.ReplaceAll(sql, "$3", fmt.Sprint(lots))
	if _, err := e.Pool.Exec(ctx, sql); err != nil {
		return fmt.Errorf("make lots: %w", err)
	}
	return nil
}

func stepArgs(do string, from, until time.Time) []string {
	return []string{"bench", "expiry-step", do, "--company", Company, "--from", from.Format(time.RFC3339), "--until", until.Format(time.RFC3339), "--days", fmt.Sprint(expiryDays)}
}

// step runs a part of the programme's life as a process with its own clock.
func (e *expirer) step(ctx context.Context, do string, from, until time.Time) (string, error) {
	return run(ctx, e.options.Binary, stepArgs(do, from, until), e.env, "")
}

// passDays runs the job for each day, kills it as often as asked on the way, and
// runs it twice to the end.
func (e *expirer) passDays(ctx context.Context, lots, kills int) (killedAt []int, err error) {
	for n := range kills {
		p, err := startProcess("expiry", e.options.Binary, stepArgs("expire", expiryFrom, expiryUntil), e.env, nil, false)
		if err != nil {
			return killedAt, err
		}
		var ended int
		err = Await(ctx, func() (bool, error) {
			select {
			case <-p.Exited():
				return false, fmt.Errorf("the run had ended before it was killed: it takes more lots\n%s", p.Log())
			default:
			}
			err := e.Pool.QueryRow(ctx, `SELECT count(*) FROM lot WHERE state = 'closed'`).Scan(&ended)
			return ended >= (n+1)*lots/(kills+2), err
		})
		if err != nil {
			return killedAt, errors.Join(err, p.Kill())
		}
		if err := p.Kill(); err != nil {
			return killedAt, err
		}
		killedAt = append(killedAt, ended)
	}
	if _, err := e.step(ctx, "expire", expiryFrom, expiryUntil); err != nil {
		return killedAt, err
	}
	out, err := e.step(ctx, "expire", expiryUntil, expiryUntil)
	if err == nil && out != "0" {
		err = fmt.Errorf("the job ended %s lots when there were none", out)
	}
	return killedAt, err
}

// lost is what has ended by the last day on which it could be spent.
func (e *expirer) lost(ctx context.Context) (map[string]string, error) {
	rows, err := e.Pool.Query(ctx, `
		SELECT (posted_at AT TIME ZONE 'America/Lima' - interval '1 microsecond')::date::text, trim_scale(-sum(amount))::text
		FROM movement WHERE action = 'expire' GROUP BY 1 ORDER BY 1`)
	if err != nil {
		return nil, fmt.Errorf("read what was lost: %w", err)
	}
	lost := map[string]string{}
	var on, amount string
	_, err = pgx.ForEachRow(rows, []any{&on, &amount}, func() error {
		lost[on] = amount
		return nil
	})
	return lost, err
}

// sameDays holds what was lost by day against what was foreseen.
func sameDays(foreseen, lost map[string]string) error {
	var wrong []string
	for _, on := range slices.Sorted(maps.Keys(foreseen)) {
		if lost[on] != foreseen[on] {
			wrong = append(wrong, fmt.Sprintf("%s: got %q, foreseen was %s", on, lost[on], foreseen[on]))
		}
	}
	for _, on := range slices.Sorted(maps.Keys(lost)) {
		if _, ok := foreseen[on]; !ok {
			wrong = append(wrong, fmt.Sprintf("%s: got %s, foreseen was nothing", on, lost[on]))
		}
	}
	return several("lost by day", wrong)
}

// compare ends all lots at once on copies of the database: by the job, and by its
// statement over all cards in one transaction.
func (e *expirer) compare(ctx context.Context, databaseURL string) (job, byHand time.Duration, err error) {
	for _, name := range []string{"bench_job", "bench_hand"} {
		e.Pool.Reset()
		if err := e.copyTo(ctx, databaseURL, name); err != nil {
			return 0, 0, err
		}
	}
	at, err := url.Parse(databaseURL)
	if err != nil {
		return 0, 0, err
	}
	at.Path = "/bench_job"
	begun := time.Now()
	if _, err := run(ctx, e.options.Binary, stepArgs("expire", expiryUntil, expiryUntil), append(e.env[:len(e.env):len(e.env)], "DATABASE_URL="+at.String()), ""); err != nil {
		return 0, 0, err
	}
	job = time.Since(begun)
	at.Path = "/bench_hand"
	byHand, err = e.expireByHand(ctx, at.String())
	return job, byHand, err
}

// copyTo copies the database; nobody may be connected to it meanwhile.
func (e *expirer) copyTo(ctx context.Context, databaseURL, name string) error {
	at, err := url.Parse(databaseURL)
	if err != nil {
		return err
	}
	source := strings.TrimPrefix(at.Path, "/")
	at.Path = "/postgres"
	conn, err := pgx.Connect(ctx, at.String())
	if err != nil {
		return fmt.Errorf("connect to copy a database: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return Await(ctx, func() (bool, error) {
		_, err := conn.Exec(ctx, fmt.Sprintf(`CREATE DATABASE %s TEMPLATE %s`, pgx.Identifier{name}.Sanitize(), pgx.Identifier{source}.Sanitize()))
		if err != nil && strings.Contains(err.Error(), "being accessed by other users") {
			return false, nil
		}
		return err == nil, err
	})
}

func (e *expirer) expireByHand(ctx context.Context, databaseURL string) (time.Duration, error) {
	pool, err := pgxpool.New(ctx, databaseURL)
	if err != nil {
		return 0, fmt.Errorf("connect to a copy: %w", err)
	}
	defer pool.Close()
	begun := time.Now()
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT id FROM card WHERE company_id = $1 ORDER BY id FOR NO KEY UPDATE`, e.company)
		if err != nil {
			return err
		}
		cards, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		if err != nil {
			return err
		}
		year, month, day := expiryUntil.Date()
		did, err := db.New(tx).LotsExpire(ctx, db.LotsExpireParams{
			CompanyID: e.company, CardIds: cards, Today: time.Date(year, month, day, 0, 0, 0, 0, time.UTC), Now: expiryUntil, TimeZone: "America/Lima",
		})
		if err == nil && did.Lots == 0 {
			err = errors.New("it ended nothing")
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("end lots by hand: %w", err)
	}
	return time.Since(begun), nil
}
