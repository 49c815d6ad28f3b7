package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// ImportState is the object of spec/pretii.md 4.1.
type ImportState struct {
	ID       string `json:"id"`
	State    string `json:"estado"`
	Repeated bool   `json:"repetida"`
	Totals   *struct {
		Rows     int   `json:"filas"`
		Applied  int   `json:"aplicadas"`
		Rejected int   `json:"con_error"`
		Created  int   `json:"clientes_creados"`
		Updated  int   `json:"clientes_actualizados"`
		Points   int64 `json:"puntos_asignados"`
	} `json:"totales"`
	Errors []struct {
		Line   int    `json:"linea"`
		Reason string `json:"motivo"`
	} `json:"errores"`
	Refusal any `json:"rechazo"`
}

func (s ImportState) rows() int {
	if s.Totals == nil {
		return 0
	}
	return s.Totals.Rows
}

func (s ImportState) over() bool { return s.State != "en_cola" && s.State != "procesando" }

// Kill is one SIGKILL of the worker in the middle of an import.
type Kill struct {
	// AtRow is how many rows had been dealt with.
	AtRow int `json:"at_row"`
	// Recovered is how long it took from the kill until the import went on.
	Recovered time.Duration `json:"recovered_ns"`
}

// ImportRun is one file through the program.
type ImportRun struct {
	Rows, Bad int
	Bytes     int64
	// Upload is until the answer 202, Applied until the import had ended.
	Upload  time.Duration `json:"upload_ns"`
	Applied time.Duration `json:"applied_ns"`
	Kills   []Kill        `json:"kills,omitempty"`
	Window  Window        `json:"window"`
	// Started is how long the import waited and looked for repeated rows before the
	// first were applied, Silent the longest that followers of it were told nothing.
	Started time.Duration `json:"started_ns"`
	Silent  time.Duration `json:"silent_ns"`
}

// RowsPerSecond is from the first byte of the upload to the end of the import.
func (r ImportRun) RowsPerSecond() float64 { return float64(r.Rows) / r.Applied.Seconds() }

// Importer puts files through an installation: a server, and a worker that may be
// killed.
type Importer struct {
	*Installation
	Server *Process

	worker *Process
	rng    *rand.Rand
}

// NewImporter sets up the points programme and starts a server and a worker.
func NewImporter(ctx context.Context, i *Installation, seed uint64) (*Importer, error) {
	m := &Importer{Installation: i, rng: rand.New(rand.NewPCG(seed, 3))}
	var err error
	if m.Server, err = i.Serve(ctx); err != nil {
		return nil, err
	}
	if m.worker, err = i.Worker(); err != nil {
		return nil, err
	}
	if err := i.cardType(ctx, `code: "puntos", name: "Puntos", unit: POINTS`); err != nil {
		return nil, err
	}
	return m, i.Setting(ctx, "points_card_type", "puntos")
}

func (i *Installation) cardType(ctx context.Context, fields string) error {
	var made struct {
		CardTypeCreate struct{ UserErrors []UserError }
	}
	err := i.Client.Ask(ctx, i.ServerKey, `mutation { cardTypeCreate(input: {`+fields+`}) { userErrors { code message } } }`, nil, &made)
	if err == nil {
		err = refusal(made.CardTypeCreate.UserErrors)
	}
	if err != nil {
		return fmt.Errorf("make a card type: %w", err)
	}
	return nil
}

// Import uploads a file, kills the worker as often as asked at random moments
// while it is being applied, and waits for the end.
func (m *Importer) Import(ctx context.Context, f *PointsFile, kills int) (ImportRun, error) {
	at := make([]int, kills)
	for i := range at {
		at[i] = 1 + m.rng.IntN(f.Rows*3/4)
	}
	slices.Sort(at)
	return m.run(ctx, f, func(state ImportState, w *window) (all []Kill, err error) {
		for _, row := range at {
			if state, err = m.progress(ctx, state.ID, func(s ImportState) (bool, error) { return s.rows() >= row || s.over(), nil }); err != nil {
				return all, err
			}
			select {
			case <-time.After(rand.N(50 * time.Millisecond)):
			case <-ctx.Done():
				return all, ctx.Err()
			}
			k, err := m.kill(ctx, state.ID, w)
			if err != nil {
				return all, err
			}
			all = append(all, k)
		}
		return all, nil
	})
}

// ImportCaught uploads a file and kills the worker once in the middle of the
// transaction of its first chunk, however small the file is: the harness holds a
// lock that the transaction waits for.
func (m *Importer) ImportCaught(ctx context.Context, f *PointsFile) (ImportRun, error) {
	release, err := m.blockCards(ctx)
	if err != nil {
		return ImportRun{}, err
	}
	defer release()
	return m.run(ctx, f, func(state ImportState, w *window) ([]Kill, error) {
		if err := m.awaitBlocked(ctx); err != nil {
			return nil, err
		}
		// The dead worker's backend goes on when the lock is released, and finds
		// nobody to commit for.
		defer release()
		k, err := m.kill(ctx, state.ID, w, release)
		return []Kill{k}, err
	})
}

func (m *Importer) run(ctx context.Context, f *PointsFile, faults func(ImportState, *window) ([]Kill, error)) (ImportRun, error) {
	r := ImportRun{Rows: f.Rows, Bad: len(f.Bad), Bytes: f.Bytes}
	w := openWindow(m.options.DatabasePID, m.Server, m.worker)
	state, err := m.upload(ctx, f)
	if err != nil {
		return r, err
	}
	r.Upload = time.Since(w.begun)
	if r.Kills, err = faults(state, w); err != nil {
		return r, err
	}
	id, err := m.fileNamed(ctx, f.Name)
	if err != nil {
		return r, err
	}
	begun, last, told := time.Now(), time.Now(), int64(0)
	state, err = m.progress(ctx, state.ID, func(s ImportState) (bool, error) {
		if r.Started == 0 && (s.rows() > 0 || s.over()) {
			r.Started = time.Since(begun)
		}
		var seq int64
		if err := m.Pool.QueryRow(ctx, `SELECT progress_seq FROM import WHERE id = $1`, id).Scan(&seq); err != nil {
			return false, fmt.Errorf("read what followers of an import were told: %w", err)
		}
		if seq > told {
			r.Silent = max(r.Silent, time.Since(last))
			last, told = time.Now(), seq
		}
		return s.over(), nil
	})
	if err != nil {
		return r, err
	}
	r.Applied = time.Since(w.begun)
	r.Window = w.close()
	if state.State != "terminada" {
		return r, fmt.Errorf("the import ended %s: %v", state.State, state.Refusal)
	}
	return r, m.Check(ctx, f, state)
}

// kill ends the worker by SIGKILL and starts another, which has to take the
// import further. It fails when the import had ended before: a fault that hit
// nothing proves nothing.
func (m *Importer) kill(ctx context.Context, id string, w *window, after ...func()) (Kill, error) {
	if err := m.worker.Kill(); err != nil {
		return Kill{}, err
	}
	for _, do := range after {
		do()
	}
	killed := time.Now()
	state, err := m.state(ctx, id)
	if err != nil {
		return Kill{}, err
	}
	if state.over() {
		return Kill{}, errors.New("the import had ended before its worker was killed: it takes more rows")
	}
	attempt, err := m.attempt(ctx)
	if err != nil {
		return Kill{}, err
	}
	if m.worker, err = m.Worker(); err != nil {
		return Kill{}, err
	}
	w.join(m.worker)
	err = Await(ctx, func() (bool, error) {
		now, err := m.attempt(ctx)
		return now > attempt, err
	})
	return Kill{AtRow: state.rows(), Recovered: time.Since(killed)}, err
}

// attempt is how often the newest import's job has been taken up.
func (m *Importer) attempt(ctx context.Context) (n int, err error) {
	err = m.Pool.QueryRow(ctx, `
		SELECT cardinality(attempted_by) FROM river_job WHERE kind = 'import_apply' ORDER BY id DESC LIMIT 1`).Scan(&n)
	if err != nil {
		err = fmt.Errorf("read the import's job: %w", err)
	}
	return n, err
}

// blockCards keeps everybody from writing cards until release, which may be
// called twice.
func (m *Importer) blockCards(ctx context.Context) (release func(), err error) {
	tx, err := m.Pool.Begin(ctx)
	if err != nil {
		return nil, fmt.Errorf("block the cards: %w", err)
	}
	release = func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }
	if _, err := tx.Exec(ctx, `LOCK TABLE card IN SHARE MODE`); err != nil {
		release()
		return nil, fmt.Errorf("block the cards: %w", err)
	}
	return release, nil
}

// awaitBlocked waits until somebody waits for the cards.
func (m *Importer) awaitBlocked(ctx context.Context) error {
	return Await(ctx, func() (waits bool, err error) {
		err = m.Pool.QueryRow(ctx, `
			SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'card'::regclass AND NOT granted
			               AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`).Scan(&waits)
		return waits, err
	})
}

func (m *Importer) upload(ctx context.Context, f *PointsFile) (ImportState, error) {
	file, err := os.Open(f.Path)
	if err != nil {
		return ImportState{}, err
	}
	defer file.Close()
	resp, err := m.Client.do(ctx, http.MethodPost, "/api/v1/importaciones/puntos?archivo="+url.QueryEscape(f.Name), m.pretii("text/csv"), file)
	if err != nil {
		return ImportState{}, fmt.Errorf("upload: %w", err)
	}
	return decodeImport(resp, http.StatusAccepted)
}

func (m *Importer) pretii(contentType string) http.Header {
	h := http.Header{"Authorization": {"Bearer " + m.PretiiKey}}
	if contentType != "" {
		h.Set("Content-Type", contentType)
	}
	return h
}

func (m *Importer) state(ctx context.Context, id string) (ImportState, error) {
	resp, err := m.Client.do(ctx, http.MethodGet, "/api/v1/importaciones/"+id, m.pretii(""), nil)
	if err != nil {
		return ImportState{}, fmt.Errorf("read the import: %w", err)
	}
	return decodeImport(resp, http.StatusOK)
}

func decodeImport(resp *http.Response, want int) (ImportState, error) {
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return ImportState{}, err
	}
	if resp.StatusCode != want {
		return ImportState{}, fmt.Errorf("import: got status %d, want %d: %.300s", resp.StatusCode, want, text)
	}
	var body struct {
		Import ImportState `json:"importacion"`
	}
	if err := json.Unmarshal(text, &body); err != nil {
		return ImportState{}, fmt.Errorf("import: %w: %.300s", err, text)
	}
	return body.Import, nil
}

// progress follows an import until a condition holds. Looking seldom keeps the
// looking out of the figures.
func (m *Importer) progress(ctx context.Context, id string, until func(ImportState) (bool, error)) (s ImportState, err error) {
	err = Await(ctx, func() (bool, error) {
		if s, err = m.state(ctx, id); err != nil {
			return false, err
		}
		select {
		case <-m.worker.Exited():
			return false, fmt.Errorf("the worker ended\n%s", m.worker.Log())
		default:
			return until(s)
		}
	})
	return s, err
}

// fileNamed is the id of the import of a file.
func (m *Importer) fileNamed(ctx context.Context, name string) (id [16]byte, err error) {
	rows, err := m.Pool.Query(ctx, `SELECT id FROM import WHERE file_name = $1`, name)
	if err != nil {
		return id, err
	}
	id, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[[16]byte])
	if err != nil {
		err = fmt.Errorf("find the import of %s: %w", name, err)
	}
	return id, err
}
