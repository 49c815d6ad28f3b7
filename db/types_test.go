package db_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/google/uuid"
	"github.com/govalues/decimal"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/db/dbtest"
)

func untypedConn(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dbtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func typedConn(t *testing.T) *pgx.Conn {
	t.Helper()
	conn := untypedConn(t)
	if err := db.RegisterTypes(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	return conn
}

// decimalCases are borders of the binary form, and draws of every length and scale.
func decimalCases() []decimal.Decimal {
	texts := []string{
		"0", "0.0000", "1", "-1", "10", "9999", "10000", "10001", "100000000", "12345678.9", "0.1", "0.0001", "0.00001", "-0.00010001", "1.0000",
		"10000.0001", "9999.9999", "999999999999999.9999", "-999999999999999.9999", "9223372036854775807", "9223372036854775808",
		"9999999999999999999", "-9999999999999999999", "0.9999999999999999", "0.00000000000000001", "0.1234567890123456789", "123.45678901234567",
		"1234567890123456.789", "922337203685477.5807", "922337203685477.5808", "1000000000000000000", "0.0000000000000001",
	}
	var list []decimal.Decimal
	for _, text := range texts {
		list = append(list, decimal.MustParse(text))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		coef := rng.Int64() >> rng.IntN(63)
		if rng.IntN(2) == 0 {
			coef = -coef
		}
		d, err := decimal.New(coef, rng.IntN(decimal.MaxScale+1))
		if err != nil {
			continue // more decimals than the value has room for
		}
		list = append(list, d)
	}
	return list
}

func TestDecimalsGoBothWaysAsTheyAre(t *testing.T) {
	t.Parallel()
	conn := typedConn(t)
	list := decimalCases()
	var written []string
	var read []decimal.Decimal
	err := conn.QueryRow(t.Context(), `SELECT array_agg(n::text ORDER BY i), array_agg(n ORDER BY i) FROM unnest($1::numeric[]) WITH ORDINALITY AS a (n, i)`, list).
		Scan(&written, &read)
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range list {
		back := d
		if d.IsZero() {
			back = decimal.Decimal{} // nought is read without decimals
		}
		if written[i] != d.String() || read[i] != back {
			t.Errorf("%s (%d decimals): the database read %s, and we read back %s", d, d.Scale(), written[i], read[i])
		}
	}
	for _, d := range list[:40] {
		var alone decimal.Decimal
		var maybe *decimal.Decimal
		if err := conn.QueryRow(t.Context(), `SELECT $1::numeric, $2::numeric`, d, &d).Scan(&alone, &maybe); err != nil {
			t.Fatal(err)
		}
		if alone.Cmp(d) != 0 || maybe == nil || maybe.Cmp(d) != 0 {
			t.Errorf("%s: got back %s and %v", d, alone, maybe)
		}
	}
}

func TestDecimalsAreReadAsByText(t *testing.T) {
	t.Parallel()
	plain, typed := untypedConn(t), typedConn(t)
	for _, d := range decimalCases()[:300] {
		var want, got decimal.Decimal
		for conn, into := range map[*pgx.Conn]*decimal.Decimal{plain: &want, typed: &got} {
			if err := conn.QueryRow(t.Context(), `SELECT `+d.String()+`::numeric`).Scan(into); err != nil {
				t.Fatal(err)
			}
		}
		if want != got {
			t.Errorf("%s: got %s, by its text %s", d, got, want)
		}
	}
}

// What the database makes itself has other forms than what we write.
func TestDecimalsThatTheDatabaseMade(t *testing.T) {
	t.Parallel()
	conn := typedConn(t)
	for _, text := range []string{
		"0", "0.0000", "1000000.0000", "100000000000000.0000", "-0.0500", "10000::numeric(19,4)", "1/3::numeric", "12345678901234567.1234567890123", "1e15", "2::numeric ^ 60",
	} {
		var got decimal.Decimal
		var plain string
		if err := conn.QueryRow(t.Context(), `SELECT (`+text+`)::numeric, (`+text+`)::numeric::text`).Scan(&got, &plain); err != nil {
			t.Fatal(err)
		}
		if want := decimal.MustParse(plain); got.Cmp(want) != 0 {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	var got decimal.Decimal
	var none *decimal.Decimal
	if err := conn.QueryRow(t.Context(), `SELECT NULL::numeric`).Scan(&none); err != nil || none != nil {
		t.Errorf("NULL: got %v, error %v", none, err)
	}
	for _, text := range []string{"NULL", "'NaN'", "'Infinity'", "1e30"} {
		if err := conn.QueryRow(t.Context(), `SELECT `+text+`::numeric`).Scan(&got); err == nil {
			t.Errorf("%s: got %s, want an error", text, got)
		}
	}
}

func TestUUIDsGoBothWaysAsTheyAre(t *testing.T) {
	t.Parallel()
	conn := typedConn(t)
	id := uuid.New()
	list := []uuid.UUID{id, {}, uuid.New()}
	var (
		alone  uuid.UUID
		maybe  *uuid.UUID
		none   *uuid.UUID
		all    []uuid.UUID
		asText string
	)
	err := conn.QueryRow(t.Context(), `SELECT $1::uuid, $2::uuid, $3::uuid, $4::uuid[], $1::uuid::text`, id, &id, none, list).
		Scan(&alone, &maybe, &none, &all, &asText)
	if err != nil {
		t.Fatal(err)
	}
	if alone != id || maybe == nil || *maybe != id || none != nil || asText != id.String() || len(all) != 3 || all[0] != id || all[1] != uuid.Nil || all[2] != list[2] {
		t.Errorf("%s: got back %s, %v, %v, %v and %s", id, alone, maybe, none, all, asText)
	}
	if err := conn.QueryRow(t.Context(), `SELECT ARRAY[$1, NULL]::uuid[]`, id).Scan(&all); err != nil || all[0] != id || all[1] != uuid.Nil {
		t.Errorf("a list with NULL: got %v, error %v", all, err)
	}
}

func BenchmarkEncodeDecimal(b *testing.B) {
	for _, typed := range []bool{false, true} {
		conn, err := pgx.Connect(b.Context(), dbtest.URL(b))
		if err != nil {
			b.Fatal(err)
		}
		name := "by text"
		if typed {
			name = "as it is"
			if err := db.RegisterTypes(b.Context(), conn); err != nil {
				b.Fatal(err)
			}
		}
		m, d, id := conn.TypeMap(), decimal.MustParse("12345.6789"), uuid.New()
		var buf []byte
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if buf, err = m.Encode(1700, 1, &d, buf[:0]); err != nil {
					b.Fatal(err)
				}
				if buf, err = m.Encode(2950, 1, id, buf); err != nil {
					b.Fatal(err)
				}
			}
		})
		if err := conn.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
