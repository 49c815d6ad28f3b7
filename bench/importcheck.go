package bench

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Check compares all that came of an import with what the generator expects:
// totals, every row applied exactly once, every bad row reported with line and
// reason, the result mail kept once, and the books in order.
func (m *Importer) Check(ctx context.Context, f *PointsFile, s ImportState) error {
	id, err := m.fileNamed(ctx, f.Name)
	if err != nil {
		return err
	}
	return errors.Join(
		checkTotals(f, s),
		m.checkMovements(ctx, f, id),
		m.checkErrorFile(ctx, f, s.ID),
		m.checkMail(ctx, f, id),
		m.Verify(ctx),
	)
}

func checkTotals(f *PointsFile, s ImportState) error {
	if s.Totals == nil {
		return errors.New("totals: none")
	}
	var err error
	for _, c := range []struct {
		name      string
		got, want int64
	}{
		{"filas", int64(s.Totals.Rows), int64(f.Rows)},
		{"aplicadas", int64(s.Totals.Applied), int64(len(f.Good))},
		{"con_error", int64(s.Totals.Rejected), int64(len(f.Bad))},
		{"clientes_creados", int64(s.Totals.Created), int64(f.Created)},
		{"clientes_actualizados", int64(s.Totals.Updated), int64(f.Updated)},
		{"puntos_asignados", s.Totals.Points, f.Points},
		{"errores", int64(len(s.Errors)), int64(min(100, len(f.Bad)))},
	} {
		if c.got != c.want {
			err = errors.Join(err, fmt.Errorf("%s: got %d, want %d", c.name, c.got, c.want))
		}
	}
	for i, e := range s.Errors {
		if i < len(f.Bad) && (e.Line != f.Bad[i].Line || e.Reason != f.Bad[i].Reason) {
			return errors.Join(err, fmt.Errorf("errores[%d]: got line %d %q, want line %d %q", i, e.Line, e.Reason, f.Bad[i].Line, f.Bad[i].Reason))
		}
	}
	return err
}

// checkMovements reads what every customer got of the import: one movement of
// just these points, or none for a row of no points, and nobody else anything.
func (m *Importer) checkMovements(ctx context.Context, f *PointsFile, id [16]byte) error {
	rows, err := m.Pool.Query(ctx, `
		SELECT customer.email, coalesce(sum(movement.amount), 0)::bigint, count(movement.amount)
		FROM customer
		JOIN card ON card.company_id = customer.company_id AND card.customer_id = customer.id
		LEFT JOIN movement ON movement.company_id = card.company_id AND movement.card_id = card.id AND movement.import_id = $1
		GROUP BY customer.email`, id)
	if err != nil {
		return fmt.Errorf("read the movements: %w", err)
	}
	var (
		wrong         []string
		email         string
		points, count int64
		met           int
	)
	_, err = pgx.ForEachRow(rows, []any{&email, &points, &count}, func() error {
		want, named := f.Good[email]
		if named {
			met++
		}
		if points != want || count != min(1, want) {
			wrong = append(wrong, fmt.Sprintf("%s: got %d points in %d movements, want %d in %d", email, points, count, want, min(1, want)))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the movements: %w", err)
	}
	if met != len(f.Good) {
		wrong = append(wrong, fmt.Sprintf("got %d of %d customers", met, len(f.Good)))
	}
	return several("movements", wrong)
}

// several is an error of the first few of many things that are wrong.
func several(what string, wrong []string) error {
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %d wrong, among them:\n\t%s", what, len(wrong), strings.Join(wrong[:min(5, len(wrong))], "\n\t"))
}

func (m *Importer) checkErrorFile(ctx context.Context, f *PointsFile, id string) error {
	resp, err := m.Client.do(ctx, http.MethodGet, "/api/v1/importaciones/"+id+"/errores.csv", m.pretii(""), nil)
	if err != nil {
		return fmt.Errorf("errores.csv: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("errores.csv: status %d", resp.StatusCode)
	}
	lines := csv.NewReader(resp.Body)
	lines.Comma = rune(f.delimiter()[0])
	head, err := lines.Read()
	if err != nil {
		return fmt.Errorf("errores.csv: %w", err)
	}
	if got, want := strings.Join(append(head, ""), f.delimiter()), "\ufeff"+strings.TrimSpace(f.header())+f.delimiter()+"linea"+f.delimiter()+"motivo"+f.delimiter(); got != want {
		return fmt.Errorf("errores.csv: got header %q, want %q", got, want)
	}
	var wrong []string
	read := 0
	for ; ; read++ {
		cells, err := lines.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("errores.csv: %w", err)
		}
		line, reason := cells[len(cells)-2], cells[len(cells)-1]
		if read >= len(f.Bad) {
			wrong = append(wrong, fmt.Sprintf("one too many: line %s %q", line, reason))
		} else if want := f.Bad[read]; line != strconv.Itoa(want.Line) || reason != want.Reason {
			wrong = append(wrong, fmt.Sprintf("got line %s %q, want line %d %q", line, reason, want.Line, want.Reason))
		}
	}
	if read < len(f.Bad) {
		wrong = append(wrong, fmt.Sprintf("got %d rows, want %d", read, len(f.Bad)))
	}
	return several("errores.csv", wrong)
}

// checkMail waits for the result mail, which has a job of its own, and wants it
// kept once: there is no mail server.
func (m *Importer) checkMail(ctx context.Context, f *PointsFile, id [16]byte) error {
	var subject, body, recipient string
	var count int
	err := Await(ctx, func() (bool, error) {
		err := m.Pool.QueryRow(ctx, `
			SELECT count(*) FILTER (WHERE status = 'kept'), coalesce(max(subject), ''), coalesce(max(body), ''), coalesce(max(recipient), '')
			FROM notification WHERE subject_id = $1`, id).Scan(&count, &subject, &body, &recipient)
		return count > 0, err
	})
	if err != nil {
		return fmt.Errorf("result mail: %w", err)
	}
	var wrong []string
	if count != 1 || recipient != Contact {
		wrong = append(wrong, fmt.Sprintf("got %d to %s, want 1 to %s", count, recipient, Contact))
	}
	if want := "Resultado de la asignación masiva de puntos: " + f.Name; subject != want {
		wrong = append(wrong, fmt.Sprintf("got subject %q, want %q", subject, want))
	}
	for _, want := range []string{
		fmt.Sprintf("Filas leídas: %d\n", f.Rows), fmt.Sprintf("Filas aplicadas: %d\n", len(f.Good)), fmt.Sprintf("Filas con error: %d\n", len(f.Bad)),
		fmt.Sprintf("Clientes creados: %d\n", f.Created), fmt.Sprintf("Clientes actualizados: %d\n", f.Updated),
		fmt.Sprintf("Puntos asignados: %d\n", f.Points),
	} {
		if !strings.Contains(strings.ReplaceAll(body, "\r\n", "\n"), want) {
			wrong = append(wrong, fmt.Sprintf("the body lacks %q", want))
		}
	}
	return several("result mail", wrong)
}
