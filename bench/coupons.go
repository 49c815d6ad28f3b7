package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// CouponOptions shape `sello bench coupons`. Binary is required.
type CouponOptions struct {
	Binary, PostgresBin string
	Codes, Kills        int
	Seed                uint64
	// Say, if set, tells what happens.
	Say func(format string, args ...any)
}

// CouponRun is one batch of coupons through the program.
type CouponRun struct {
	Codes int `json:"codes"`
	// Took is from the request until the batch was finished.
	Took time.Duration `json:"took_ns"`
	// Download is how long its file of codes took.
	Download time.Duration `json:"download_ns"`
	Kills    []Kill        `json:"kills,omitempty"`
	Window   Window        `json:"window"`
}

// CodesPerSecond is from the request until the batch was finished.
func (r CouponRun) CodesPerSecond() float64 { return float64(r.Codes) / r.Took.Seconds() }

// CouponReport is what `sello bench coupons` measures and proves.
type CouponReport struct {
	Settings map[string]string `json:"database_settings"`
	Seed     uint64            `json:"seed"`
	// Copy is a plain COPY of as many rows into a table without indexes.
	Copy     time.Duration `json:"copy_ns"`
	Measured CouponRun     `json:"measured"`
	// Faults is another batch under SIGKILL; absent without kills.
	Faults *CouponRun `json:"faults,omitempty"`
}

// Print writes the report for people.
func (r CouponReport) Print(w io.Writer) {
	printSettings(w, r.Settings)
	m := r.Measured
	copyRate := float64(m.Codes) / r.Copy.Seconds()
	fmt.Fprintf(w, "plain COPY      %9.0f rows/s    %d rows without an index in %s\n", copyRate, m.Codes, seconds(r.Copy))
	fmt.Fprintf(w, "sello           %9.0f codes/s   %d codes in %s, their file in %s\n", m.CodesPerSecond(), m.Codes, seconds(m.Took), seconds(m.Download))
	fmt.Fprintf(w, "ratio           %9.3f\n", m.CodesPerSecond()/copyRate)
	printWindow(w, m.Window, m.Codes, "code")
	fmt.Fprintf(w, "                exactly %d codes, each once, verify clean\n", m.Codes)
	if r.Faults == nil {
		return
	}
	f := *r.Faults
	fmt.Fprintf(w, "with SIGKILL    %d codes in %s, the worker killed %d times:\n", f.Codes, seconds(f.Took), len(f.Kills))
	for _, k := range f.Kills {
		fmt.Fprintf(w, "                at code %d, taken up again after %s\n", k.AtRow, seconds(k.Recovered))
	}
	fmt.Fprintf(w, "                exactly %d codes, each once, verify clean\n", f.Codes)
	fmt.Fprintf(w, "seed            %d\n", r.Seed)
}

// issuer makes batches through an installation whose worker may be killed.
type issuer struct {
	*Installation
	server, worker *Process
	rng            *rand.Rand
}

// MeasureCoupons makes a batch of coupons on a private PostgreSQL beside a plain
// COPY of as many rows, and then another one while the worker is killed. An error
// tells what was wrong with the outcome.
func MeasureCoupons(ctx context.Context, o CouponOptions) (r CouponReport, err error) {
	if o.Say == nil {
		o.Say = func(string, ...any) {}
	}
	d, err := StartDatabase(ctx, o.PostgresBin)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, d.Stop()) }()
	inst, err := Install(ctx, InstallOptions{
		Binary: o.Binary, DatabaseURL: d.URL, DatabasePID: d.PID,
		// A chunk has its time on a busy machine too; a killed worker's job is taken up
		// again within half a minute.
		Env: []string{"JOB_TIMEOUT=20s", "JOB_RESCUE_AFTER=21s"},
	})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, inst.Close()) }()
	i := &issuer{Installation: inst, rng: rand.New(rand.NewPCG(o.Seed, 7))}
	if i.server, err = inst.Serve(ctx); err != nil {
		return r, err
	}
	if i.worker, err = inst.Worker(); err != nil {
		return r, err
	}
	if err := i.couponType(ctx); err != nil {
		return r, err
	}
	r.Settings, r.Seed = d.Settings, o.Seed
	o.Say("plain COPY of %d rows", o.Codes)
	if r.Copy, err = i.plainCopy(ctx, o.Codes); err != nil {
		return r, err
	}
	o.Say("making %d codes", o.Codes)
	if r.Measured, err = i.batch(ctx, "measured", o.Codes, 0); err != nil || o.Kills == 0 {
		return r, err
	}
	o.Say("making %d codes, killing the worker %d times", o.Codes, o.Kills)
	faults, err := i.batch(ctx, "killed", o.Codes, o.Kills)
	r.Faults = &faults
	return r, err
}

func (i *issuer) couponType(ctx context.Context) error {
	var made struct {
		CouponTypeCreate struct{ UserErrors []UserError }
	}
	err := i.Client.Ask(ctx, i.ServerKey, `mutation { couponTypeCreate(input: { code: "bench", name: "Bench", format: PRINTED, validity: DAYS,
		validDays: 30, benefit: AMOUNT, amount: "5" }) { userErrors { code message } } }`, nil, &made)
	if err == nil {
		err = refusal(made.CouponTypeCreate.UserErrors)
	}
	if err != nil {
		return fmt.Errorf("make a coupon type: %w", err)
	}
	return nil
}

// plainCopy measures how fast PostgreSQL takes as many rows into a logged table with
// the coupons' columns and nothing else.
func (i *issuer) plainCopy(ctx context.Context, rows int) (time.Duration, error) {
	conn, err := pgx.Connect(ctx, i.options.DatabaseURL)
	if err != nil {
		return 0, fmt.Errorf("connect for copy: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, `CREATE TABLE bench_coupon (LIKE coupon)`); err != nil {
		return 0, fmt.Errorf("make the table: %w", err)
	}
	company, begun := uuid.New(), time.Now()
	n, id, code := 0, uuid.New(), []byte("0000000000")
	copied, err := conn.CopyFrom(ctx, pgx.Identifier{"bench_coupon"}, []string{
		"company_id", "id", "coupon_type_id", "batch_id", "code", "status", "nominated", "max_uses", "used", "valid_from", "expires_on",
		"hidden", "seq", "issued_at", "updated_at",
	}, pgx.CopyFromFunc(func() ([]any, error) {
		if n == rows {
			return nil, nil
		}
		n++
		for at := len(code) - 1; ; at-- { // the next number
			if code[at]++; code[at] <= '9' {
				break
			}
			code[at] = '0'
		}
		return []any{company, id, company, company, string(code), "active", false, 1, 0, begun, begun, false, 0, begun, begun}, nil
	}))
	took := time.Since(begun)
	if err != nil {
		return 0, fmt.Errorf("copy: %w", err)
	}
	if int(copied) != rows {
		return 0, fmt.Errorf("copy: got %d rows, want %d", copied, rows)
	}
	_, err = conn.Exec(ctx, `DROP TABLE bench_coupon`)
	return took, err
}

// batch makes a batch, kills the worker as often as asked at random moments, and
// proves the outcome.
func (i *issuer) batch(ctx context.Context, name string, codes, kills int) (CouponRun, error) {
	r := CouponRun{Codes: codes}
	at := make([]int, kills)
	for k := range at {
		at[k] = 1 + i.rng.IntN(codes*3/4)
	}
	slices.Sort(at)
	w := openWindow(i.options.DatabasePID, i.server, i.worker)
	var made struct {
		CouponBatchCreate struct {
			CouponBatch struct{ ID, CodesPath string }
			UserErrors  []UserError
		}
	}
	err := i.Client.Ask(ctx, i.ServerKey, `mutation($name: String!, $codes: Int!) {
		couponBatchCreate(input: { typeCode: "bench", codes: $codes, name: $name, idempotencyKey: $name }) { couponBatch { id codesPath } userErrors { code message } }
	}`, map[string]any{"name": name, "codes": codes}, &made)
	if err == nil {
		err = refusal(made.CouponBatchCreate.UserErrors)
	}
	if err != nil {
		return r, fmt.Errorf("ask for a batch: %w", err)
	}
	for _, code := range at {
		if _, err := i.await(ctx, name, func(status string, issued int) bool { return issued >= code || over(status) }); err != nil {
			return r, err
		}
		k, err := i.kill(ctx, name, w)
		if err != nil {
			return r, err
		}
		r.Kills = append(r.Kills, k)
	}
	if _, err := i.await(ctx, name, func(status string, _ int) bool { return over(status) }); err != nil {
		return r, err
	}
	r.Took = time.Since(w.begun)
	r.Window = w.close()
	begun := time.Now()
	lines, err := i.download(ctx, made.CouponBatchCreate.CouponBatch.CodesPath)
	r.Download = time.Since(begun)
	if err == nil && lines != codes+1 {
		err = fmt.Errorf("the file has %d lines, want %d and a header", lines, codes)
	}
	return r, errors.Join(err, i.prove(ctx, name, codes), i.Verify(ctx))
}

func over(status string) bool { return status != "queued" && status != "running" }

// await looks at a batch until a condition holds, and answers how many codes it has.
func (i *issuer) await(ctx context.Context, name string, holds func(status string, issued int) bool) (issued int, err error) {
	err = Await(ctx, func() (bool, error) {
		var status string
		err := i.Pool.QueryRow(ctx, `SELECT status, codes_issued FROM coupon_batch WHERE name = $1`, name).Scan(&status, &issued)
		if err != nil {
			return false, fmt.Errorf("look at the batch: %w", err)
		}
		select {
		case <-i.worker.Exited():
			return false, fmt.Errorf("the worker ended\n%s", i.worker.Log())
		default:
			return holds(status, issued), nil
		}
	})
	return issued, err
}

// kill ends the worker by SIGKILL and starts another, which has to take the batch
// further. It fails when the batch had ended before: a fault that hit nothing proves
// nothing.
func (i *issuer) kill(ctx context.Context, name string, w *window) (Kill, error) {
	select {
	case <-time.After(rand.N(200 * time.Millisecond)): // anywhere in a chunk
	case <-ctx.Done():
		return Kill{}, ctx.Err()
	}
	if err := i.worker.Kill(); err != nil {
		return Kill{}, err
	}
	killed := time.Now()
	var status string
	var at int
	if err := i.Pool.QueryRow(ctx, `SELECT status, codes_issued FROM coupon_batch WHERE name = $1`, name).Scan(&status, &at); err != nil {
		return Kill{}, fmt.Errorf("look at the batch: %w", err)
	}
	if over(status) {
		return Kill{}, errors.New("the batch had ended before its worker was killed: it takes more codes")
	}
	var err error
	if i.worker, err = i.Worker(); err != nil {
		return Kill{}, err
	}
	w.join(i.worker)
	_, err = i.await(ctx, name, func(status string, issued int) bool { return issued > at || over(status) })
	return Kill{AtRow: at, Recovered: time.Since(killed)}, err
}

// download reads the file of a batch's codes and counts its lines.
func (i *issuer) download(ctx context.Context, path string) (lines int, err error) {
	resp, err := i.Client.do(ctx, http.MethodGet, path, http.Header{"Authorization": {"Bearer " + i.ServerKey}}, nil)
	if err != nil {
		return 0, fmt.Errorf("download the codes: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("download the codes: got status %d", resp.StatusCode)
	}
	for file := bufio.NewScanner(resp.Body); ; lines++ {
		if !file.Scan() {
			return lines, file.Err()
		}
	}
}

// prove counts the batch's coupons and their codes.
func (i *issuer) prove(ctx context.Context, name string, codes int) error {
	var coupons, distinct, issued int
	err := i.Pool.QueryRow(ctx, `
		SELECT count(*), count(DISTINCT coupon.code), max(batch.codes_issued)
		FROM coupon_batch AS batch
		JOIN coupon ON coupon.company_id = batch.company_id AND coupon.batch_id = batch.id
		WHERE batch.name = $1`, name).Scan(&coupons, &distinct, &issued)
	if err != nil {
		return fmt.Errorf("count the codes: %w", err)
	}
	if coupons != codes || distinct != codes || issued != codes {
		return fmt.Errorf("got %d coupons of %d codes and a batch that says %d, want %d of each", coupons, distinct, issued, codes)
	}
	return nil
}
