package imports_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/riverqueue/river/rivertype"

	"sello/loyalty/imports"
	"sello/loyalty/imports/pointsfile"
)

const header = "nombres,apellidos,email,documento,puntos\n"

// TestRowsThatTheDatabaseRejects meets each error that depends on customers and
// cards, and mends what can be mended.
func TestRowsThatTheDatabaseRejects(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	blocked := e.customer(t, "Berta", "", "berta@example.com", "", "PRT-berta", 5)
	e.exec(t, `UPDATE card SET status = 'disabled' WHERE id = $1`, blocked)
	full := e.customer(t, "Fina", "", "fina@example.com", "", "PRT-fina", 999_999_999_999_999)
	imp, _ := e.upload(t, imports.Upload{}, header+
		"Ana,,ANA.QUISPE@example.com,99,1\n"+ // 2: document too short
		"Berta,Sol,berta@example.com,B-100,7\n"+ // 3: card blocked, so it takes no document
		"Ana,,ana.quispe@example.com,X-1,10\n"+ // 4: has a document; X-1 stays free
		"Uno,,uno@example.com,x-1,1\n"+ // 5: takes X-1
		"Dos,,dos@example.com,X-1,1\n"+ // 6: X-1 is taken by line 5
		"Tres,,tres@example.com,b-100,1\n"+ // 7: takes B-100
		"Fina,,fina@example.com,,1\n"+ // 8: the balance is full
		"Anabel,Ñandú Ríos,anabel@example.com,CE-00123,0\n"+ // 9: fills the name
		"José,Otro,JOSE.munoz@example.com,45678912,3\n"+ // 10: Ana's document
		"Uno,,UNO@example.com,,5\n", // 11: like line 5
	)

	got := e.apply(t, imp.ID)

	wantErrors := []imports.RowError{
		{Line: 2, Code: "documento_invalido", Reason: "El documento de identidad no es válido.", Value: "99"},
		{Line: 3, Code: "tarjeta_no_habilitada", Reason: "La tarjeta del cliente no está habilitada.", Value: "berta@example.com"},
		{Line: 6, Code: "documento_de_otro_cliente", Reason: "El documento de identidad pertenece a otro cliente.", Value: "X-1"},
		{Line: 8, Code: "saldo_demasiado_grande", Reason: "El saldo de la tarjeta sería demasiado grande.", Value: "fina@example.com"},
		{Line: 10, Code: "documento_de_otro_cliente", Reason: "El documento de identidad pertenece a otro cliente.", Value: "45678912"},
		{Line: 11, Code: "email_duplicado", Reason: "Email duplicado en el archivo (primera aparición en la línea 5).", Value: "UNO@example.com"},
	}
	if diff := cmp.Diff(wantErrors, e.errors(t, imp.ID)); diff != "" {
		t.Errorf("Errors (-want +got):\n%s", diff)
	}
	want := pointsfile.Totals{Rows: 10, Applied: 4, Rejected: 6, CustomersCreated: 2, CustomersUpdated: 1, PointsAssigned: 12}
	if diff := cmp.Diff(want, got.Totals()); diff != "" {
		t.Errorf("Totals (-want +got):\n%s", diff)
	}
	e.same(t, "45678912", `SELECT document FROM customer WHERE email = 'ana.quispe@example.com'`)
	e.same(t, "Ñandú Ríos", `SELECT last_name FROM customer WHERE email = 'anabel@example.com'`)
	e.same(t, "anabel nandu rios", `SELECT name_key FROM customer WHERE email = 'anabel@example.com'`)
	e.same(t, true, `SELECT ' ' || name_key LIKE '% rio%' FROM customer WHERE email = 'anabel@example.com'`)
	e.same(t, true, `SELECT ' ' || name_key LIKE '% tre%' FROM customer WHERE email = 'tres@example.com'`)
	e.same(t, "NULL", `SELECT last_name FROM customer WHERE email = 'berta@example.com'`)
	e.same(t, true, `SELECT card.code = customer.qr_code AND card.code ~ '^PRT-[0-9a-f]{24}$' FROM card JOIN customer ON customer.id = customer_id WHERE email = 'uno@example.com'`)
	e.books(t)

	// What stood in the way goes away; what the file is wrong about does not.
	e.exec(t, `UPDATE card SET status = 'enabled' WHERE id = $1`, blocked)
	e.exec(t, `UPDATE customer SET document = NULL, document_key = NULL WHERE email IN ('uno@example.com', 'tres@example.com')`)
	e.exec(t, `UPDATE card SET balance = 0, seq = 0 WHERE id = $1`, full)
	e.exec(t, `ALTER TABLE movement DISABLE TRIGGER movement_append_only`)
	e.exec(t, `DELETE FROM movement WHERE card_id = $1`, full)
	again, err := e.imports.Reprocess(t.Context(), e.actor, imp.ID)
	if err != nil || again.Pass != 2 || again.State() != imports.Queued {
		t.Fatalf("Reprocess: got %+v, %v, want pass 2 queued", again, err)
	}
	got = e.apply(t, imp.ID)
	want = pointsfile.Totals{Rows: 10, Applied: 7, Rejected: 3, CustomersCreated: 3, CustomersUpdated: 2, PointsAssigned: 21}
	if diff := cmp.Diff(want, got.Totals()); diff != "" {
		t.Errorf("Totals after Reprocess (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int32{2, 10, 11}, lines(e.errors(t, imp.ID))); diff != "" {
		t.Errorf("lines that stay rejected (-want +got):\n%s", diff)
	}
	e.same(t, "B-100", `SELECT document FROM customer WHERE email = 'berta@example.com'`)
	e.same(t, "X-1", `SELECT document FROM customer WHERE email = 'dos@example.com'`)
	e.same(t, 2, `SELECT max(attempt) FROM notification`)
	e.books(t)
}

func lines(errs []imports.RowError) []int32 {
	var list []int32
	for _, e := range errs {
		list = append(list, e.Line)
	}
	return list
}

// TestCardsOfTheProgramme meets customers without a card in the programme: one
// whose QR code another card has, one whose QR code is free, one with two cards.
func TestCardsOfTheProgramme(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	other := newID(t)
	e.exec(t, `INSERT INTO card_type (company_id, id, code, name, unit, scale, created_at, updated_at) VALUES ($1, $2, 'millas', 'Millas', 'miles', 2, $3, $3)`,
		e.company, other, now)
	e.exec(t, `UPDATE card SET card_type_id = $1 WHERE code = $2`, other, qrJose)
	e.exec(t, `UPDATE card SET card_type_id = $1, code = 'otra' WHERE code = $2`, other, qrAnabel)
	e.exec(t, `INSERT INTO card (company_id, id, card_type_id, customer_id, code, status, registered_at, created_at, updated_at)
		SELECT company_id, '00000000-0000-7000-8000-000000000001', card_type_id, customer_id, 'vieja', 'cancelled', $2, $2, $2 FROM card WHERE code = $1`, qrAna, now)
	imp, _ := e.upload(t, imports.Upload{}, header+
		"José,,jose.munoz@example.com,,4\nAnabel,,anabel@example.com,,5\nAna,,ana.quispe@example.com,,6\n")

	e.apply(t, imp.ID)

	e.same(t, 4, `SELECT trim_scale(balance) FROM card JOIN customer c ON c.id = customer_id WHERE email = 'jose.munoz@example.com' AND card_type_id = $1
		AND card.code ~ '^PRT-[0-9a-f]{24}$'`, e.cardType)
	e.same(t, 5, `SELECT trim_scale(balance) FROM card WHERE code = $1 AND card_type_id = $2`, qrAnabel, e.cardType)
	e.same(t, 126, `SELECT trim_scale(balance) FROM card WHERE code = $1`, qrAna)
	e.books(t)
}

// list is a file of n rows, all of new customers, one in a hundred bad.
func list(n int) string {
	var b strings.Builder
	b.WriteString(header)
	for i := range n {
		switch {
		case i%100 == 99:
			fmt.Fprintf(&b, "Malo,,malo%d@example.com,,%d.5\n", i, i)
		default:
			fmt.Fprintf(&b, "Persona %d,Apellido,p%d@example.com,DOC-%d,%d\n", i, i, i, i%7)
		}
	}
	return b.String()
}

// sum of the points of list's good rows.
func sum(n int) int64 {
	var points int64
	for i := range n {
		if i%100 != 99 {
			points += int64(i % 7)
		}
	}
	return points
}

func (e *env) checkList(t *testing.T, id uuid.UUID, n int) {
	t.Helper()
	bad := int64(n / 100)
	want := pointsfile.Totals{
		Rows: int64(n), Applied: int64(n) - bad, Rejected: bad, CustomersCreated: int64(n) - bad, PointsAssigned: sum(n),
	}
	imp := e.get(t, id)
	if diff := cmp.Diff(want, imp.Totals()); diff != "" {
		t.Errorf("Totals (-want +got):\n%s", diff)
	}
	if imp.State() != imports.Finished {
		t.Errorf("state: got %s, want finished", imp.State())
	}
	e.same(t, sum(n), `SELECT trim_scale(sum(amount)) FROM movement WHERE import_id = $1`, id)
	e.books(t)
}

// TestTwentyThousandRows goes through River in short slices of time, on a
// company that the planner knows nothing of.
func TestTwentyThousandRows(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.imports.Beat = time.Hour // so that chunks keep their size on any machine
	imp, _ := e.upload(t, imports.Upload{}, list(20_000))
	e.work(t)
	e.checkList(t, imp.ID, 20_000)
	e.same(t, 200, `SELECT count(*) FROM import_row WHERE error_code = 'puntos_invalidos'`)
	if got := strings.Count(e.errorFile(t, imp.ID), "\r\n"); got != 201 {
		t.Errorf("lines of errores.csv: got %d, want 201", got)
	}
	e.same(t, "7 events up to 8", `SELECT count(DISTINCT seq) || ' events up to ' || max(seq) FROM event
		WHERE kind = 'import_progressed' AND seq <= (SELECT progress_seq FROM import)`)
}

// TestBeats: while a file is looked through, which tells nothing by itself, the import
// tells that it goes on.
func TestBeats(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.imports.Beat = time.Millisecond
	imp, _ := e.upload(t, imports.Upload{}, list(3)+"Ana,Paz,p1@example.com,,5\n")
	if _, err := e.imports.ApplyStep(t.Context(), e.company, imp.ID); err != nil {
		t.Fatal(err)
	}
	// The row that is to be marked is held by somebody else: the step waits.
	tx, err := e.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := tx.Exec(t.Context(), `SELECT 1 FROM import_row WHERE import_id = $1 FOR UPDATE`, imp.ID); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if done, err := e.imports.ApplyStep(t.Context(), e.company, imp.ID); done || err != nil {
			t.Errorf("ApplyStep: got %v, %v, want to go on", done, err)
		}
	})
	began := e.get(t, imp.ID).ProgressSeq
	for end := time.Now().Add(time.Minute); e.get(t, imp.ID).ProgressSeq < began+3; {
		if time.Now().After(end) {
			t.Error("no progress is told")
			break
		}
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	told := e.get(t, imp.ID).ProgressSeq
	e.same(t, told, `SELECT count(*) FROM event WHERE kind = 'import_progressed' AND subject_id = $1`, imp.ID)
	if got := e.apply(t, imp.ID); got.RowsFailed != 1 || got.RowsApplied != 3 {
		t.Errorf("got %d rows applied and %d rejected, want 3 and 1", got.RowsApplied, got.RowsFailed)
	}
}

// TestPace: chunks that take longer than a beat get smaller, quick ones larger again,
// and every row is applied once.
func TestPace(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.imports.ChunkRows, e.imports.Beat = 400, time.Nanosecond
	imp, _ := e.upload(t, imports.Upload{}, list(2_000))
	steps := func() (n int) {
		for range 3 {
			before := e.get(t, imp.ID).CursorLine
			if _, err := e.imports.ApplyStep(t.Context(), e.company, imp.ID); err != nil {
				t.Fatal(err)
			}
			n = int(e.get(t, imp.ID).CursorLine - before)
		}
		return n
	}
	steps() // start, check, 400 rows
	if n := steps(); n != 50 {
		t.Errorf("the fourth chunk of slow ones has %d rows, want 50", n)
	}
	e.imports.Beat = time.Hour
	if n := steps(); n != 100 {
		t.Errorf("the third chunk after a slow one has %d rows, want 100", n)
	}
	e.apply(t, imp.ID)
	e.checkList(t, imp.ID, 2_000)
}

// TestKilledBetweenAndInChunks cuts every step off, some in the middle of a
// statement, and runs each finished step's import twice over.
func TestKilledBetweenAndInChunks(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.imports.ChunkRows = 400
	imp, _ := e.upload(t, imports.Upload{}, list(4_000))
	for attempt := 0; ; attempt++ {
		if attempt > 500 {
			t.Fatal("the import never ends")
		}
		if attempt%2 == 0 { // killed once the chunk's statement runs
			ctx, cancel := context.WithCancel(t.Context())
			e.killIn(ctx, cancel, imp.ID)
			continue
		}
		done, err := e.imports.ApplyStep(t.Context(), e.company, imp.ID)
		if err != nil {
			t.Fatalf("ApplyStep: %v", err)
		}
		if done {
			break
		}
	}
	if done, err := e.imports.ApplyStep(t.Context(), e.company, imp.ID); !done || err != nil {
		t.Errorf("ApplyStep of a finished import: got %v, %v, want done", done, err)
	}
	e.checkList(t, imp.ID, 4_000)
	e.same(t, 1, `SELECT count(*) FROM notification`)
}

// killIn runs a step and cancels it while it waits for the company's lock: its
// transaction is open, the import's row is taken, the rest is undone.
func (e *env) killIn(ctx context.Context, cancel func(), id uuid.UUID) {
	defer cancel()
	tx, err := e.pool.Begin(ctx)
	if err != nil {
		panic(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	if err := e.store.Queries.WithTx(tx).ImportCompanyLock(ctx, e.company); err != nil {
		panic(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = e.imports.ApplyStep(ctx, e.company, id) })
	for {
		var waiting bool
		err := e.pool.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
			OR (SELECT status <> 'running' OR NOT checked FROM import WHERE id = $1)`, id).Scan(&waiting)
		if err != nil {
			panic(err)
		}
		if waiting {
			break
		}
	}
	cancel()
	wg.Wait()
}

// TestManyWorkersOneImport lets six workers take steps of the same import.
func TestManyWorkersOneImport(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.imports.ChunkRows = 150
	imp, _ := e.upload(t, imports.Upload{}, list(3_000))
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for {
				done, err := e.imports.ApplyStep(t.Context(), e.company, imp.ID)
				if err != nil {
					t.Errorf("ApplyStep: %v", err)
					return
				}
				if done {
					return
				}
			}
		})
	}
	wg.Wait()
	e.checkList(t, imp.ID, 3_000)
	e.same(t, 1, `SELECT count(*) FROM notification`)
}

// TestImportsOfOneCompanyMeet applies two files with the same new customers at
// the same time, while postings go to the same cards.
func TestImportsOfOneCompanyMeet(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.imports.ChunkRows = 100
	one, _ := e.upload(t, imports.Upload{}, list(1_000))
	two, _ := e.upload(t, imports.Upload{Forced: true}, list(1_000))
	var wg sync.WaitGroup
	for _, id := range []uuid.UUID{one.ID, two.ID} {
		wg.Go(func() {
			for {
				done, err := e.imports.ApplyStep(t.Context(), e.company, id)
				if err != nil {
					t.Errorf("ApplyStep: %v", err)
					return
				}
				if done {
					return
				}
			}
		})
	}
	wg.Wait()
	e.same(t, 990, `SELECT sum(customers_created) FROM import`)
	e.same(t, 2*sum(1_000), `SELECT trim_scale(sum(points_assigned)) FROM import`)
	e.books(t)
}

// TestJobGivesWay runs the job in a process that is cut off: it costs no attempt.
func TestJobGivesWay(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.imports.ChunkRows = 500
	imp, _ := e.upload(t, imports.Upload{}, list(2_000))
	worker, job := e.job(imp, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, ok := errors.AsType[*rivertype.JobSnoozeError](worker.Work(ctx, job)); !ok {
		t.Errorf("Work of a process that stops: want a snooze")
	}
	e.same(t, "queued", `SELECT status FROM import`)
	e.work(t) // and it is picked up again
	e.checkList(t, imp.ID, 2_000)
}

// TestRiverStopped stops the worker process again and again.
func TestRiverStopped(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.imports.ChunkRows = 100
	imp, _ := e.upload(t, imports.Upload{}, list(3_000))
	for range 3 {
		progressed := e.text(t, `SELECT progress_seq FROM import`)
		if err := e.river.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		for e.text(t, `SELECT progress_seq > $1::bigint + 3 OR status = 'finished' FROM import`, progressed) != "true" {
		}
		if err := e.river.StopAndCancel(t.Context()); err != nil {
			t.Fatal(err)
		}
		e.same(t, 0, `SELECT count(*) FROM river_job WHERE state = 'running' OR attempt > 1`)
	}
	e.work(t)
	e.checkList(t, imp.ID, 3_000)
}

// TestMergedCustomersOfAFile: rows with an address of before a merge reach who the
// person is now; two addresses of one person in one file are one too many.
func TestMergedCustomersOfAFile(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.exec(t, `UPDATE customer SET merged_into_id = (SELECT id FROM customer WHERE email = 'jose.munoz@example.com'), hidden_at = $1, active = false
		WHERE email = 'anabel@example.com'`, now)
	imp, _ := e.upload(t, imports.Upload{}, header+"Anabel,,anabel@example.com,,5\n")
	e.apply(t, imp.ID)
	e.same(t, 25, `SELECT trim_scale(balance) FROM card WHERE code = $1`, qrJose)

	imp, _ = e.upload(t, imports.Upload{}, header+"José,,jose.munoz@example.com,,1\nAna,,ana.quispe@example.com,,2\nAnabel,,anabel@example.com,,3\n")
	e.apply(t, imp.ID)
	e.same(t, 26, `SELECT trim_scale(balance) FROM card WHERE code = $1`, qrJose)
	e.same(t, 2, `SELECT error_line FROM import_row WHERE import_id = $1 AND line = 4 AND error_code = 'email_duplicado'`, imp.ID)
	e.same(t, 122, `SELECT trim_scale(balance) FROM card WHERE code = $1`, qrAna)
	e.books(t)
}
