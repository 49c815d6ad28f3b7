package bench

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// PlainCopy measures how fast PostgreSQL takes the file's rows into a table with
// its columns and nothing else: COPY, the server parsing the CSV, the bytes
// streamed as they are. Median of some rounds, into a logged table each.
func PlainCopy(ctx context.Context, url string, f *PointsFile, rounds int) (time.Duration, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return 0, fmt.Errorf("connect for copy: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, `CREATE TABLE IF NOT EXISTS bench_staging (
		nombres text, apellidos text, email text, documento_de_identidad text, puntos text, nota text)`); err != nil {
		return 0, fmt.Errorf("make the staging table: %w", err)
	}
	var took []time.Duration
	for range rounds {
		if _, err := conn.Exec(ctx, `TRUNCATE bench_staging`); err != nil {
			return 0, fmt.Errorf("empty the staging table: %w", err)
		}
		file, err := os.Open(f.PlainPath)
		if err != nil {
			return 0, err
		}
		begun := time.Now()
		tag, err := conn.PgConn().CopyFrom(ctx, file, `COPY bench_staging FROM STDIN `+f.copyOptions())
		took = append(took, time.Since(begun))
		_ = file.Close()
		if err != nil {
			return 0, fmt.Errorf("copy: %w", err)
		}
		if got := int(tag.RowsAffected()); got != f.PlainRows {
			return 0, fmt.Errorf("copy: got %d rows, want %d", got, f.PlainRows)
		}
	}
	_, err = conn.Exec(ctx, `DROP TABLE bench_staging`)
	return median(took), err
}

// copyOptions tell COPY how the file is written.
func (f *PointsFile) copyOptions() string {
	encoding := "UTF8"
	if f.Encoding == Windows1252 {
		encoding = "WIN1252"
	}
	return fmt.Sprintf(`WITH (FORMAT csv, HEADER true, DELIMITER '%s', ENCODING '%s')`, f.delimiter(), encoding)
}

func median[T ~int64 | ~float64](values []T) T {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
