package db

import (
	"context"
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/google/uuid"
	"github.com/govalues/decimal"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// RegisterTypes teaches a connection to write and read our two commonest types,
// uuid.UUID and decimal.Decimal, in PostgreSQL's binary form as they are. Without
// it pgx goes through their texts, which works as well and costs a posting about a
// tenth of the server's time. It is a pool's AfterConnect.
func RegisterTypes(_ context.Context, conn *pgx.Conn) error {
	m := conn.TypeMap()
	id := &pgtype.Type{Name: "uuid", OID: pgtype.UUIDOID, Codec: uuidCodec{}}
	amount := &pgtype.Type{Name: "numeric", OID: pgtype.NumericOID, Codec: numericCodec{}}
	m.RegisterType(id)
	m.RegisterType(amount)
	m.RegisterType(&pgtype.Type{Name: "_uuid", OID: pgtype.UUIDArrayOID, Codec: &pgtype.ArrayCodec{ElementType: id}})
	m.RegisterType(&pgtype.Type{Name: "_numeric", OID: pgtype.NumericArrayOID, Codec: &pgtype.ArrayCodec{ElementType: amount}})
	return nil
}

// encodePointer writes what a pointer points to, NULL if to nothing.
type encodePointer[T any] struct{ value pgtype.EncodePlan }

// Encode implements pgtype.EncodePlan.
func (p encodePointer[T]) Encode(value any, buf []byte) ([]byte, error) {
	to := value.(*T)
	if to == nil {
		return nil, nil
	}
	return p.value.Encode(*to, buf)
}

type uuidCodec struct{ pgtype.UUIDCodec }

// PlanEncode implements pgtype.Codec.
func (c uuidCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if format == pgtype.BinaryFormatCode {
		switch value.(type) {
		case uuid.UUID:
			return encodeUUID{}
		case *uuid.UUID:
			return encodePointer[uuid.UUID]{encodeUUID{}}
		}
	}
	return c.UUIDCodec.PlanEncode(m, oid, format, value)
}

// PlanScan implements pgtype.Codec.
func (c uuidCodec) PlanScan(m *pgtype.Map, oid uint32, format int16, target any) pgtype.ScanPlan {
	if _, ours := target.(*uuid.UUID); ours && format == pgtype.BinaryFormatCode {
		return scanUUID{}
	}
	return c.UUIDCodec.PlanScan(m, oid, format, target)
}

type encodeUUID struct{}

// Encode implements pgtype.EncodePlan.
func (encodeUUID) Encode(value any, buf []byte) ([]byte, error) {
	id := value.(uuid.UUID)
	return append(buf, id[:]...), nil
}

type scanUUID struct{}

// Scan implements pgtype.ScanPlan. NULL leaves the id as it is, as its own Scan does.
func (scanUUID) Scan(src []byte, target any) (err error) {
	id := target.(*uuid.UUID)
	if src == nil {
		return id.Scan(nil)
	}
	*id, err = uuid.FromBytes(src)
	return err
}

type numericCodec struct{ pgtype.NumericCodec }

// PlanEncode implements pgtype.Codec.
func (c numericCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if format == pgtype.BinaryFormatCode {
		plan := encodeDecimal{c.NumericCodec.PlanEncode(m, oid, format, pgtype.Numeric{})}
		switch value.(type) {
		case decimal.Decimal:
			return plan
		case *decimal.Decimal:
			return encodePointer[decimal.Decimal]{plan}
		}
	}
	return c.NumericCodec.PlanEncode(m, oid, format, value)
}

// PlanScan implements pgtype.Codec.
func (c numericCodec) PlanScan(m *pgtype.Map, oid uint32, format int16, target any) pgtype.ScanPlan {
	if _, ours := target.(*decimal.Decimal); ours && format == pgtype.BinaryFormatCode {
		return scanDecimal{m, oid}
	}
	return c.NumericCodec.PlanScan(m, oid, format, target)
}

// PostgreSQL's binary numeric: the number of its digits to the base of 10,000, the
// power of the first of them, the sign, the decimals, and the digits, each in two
// bytes.
const (
	numericHeader   = 8
	numericNegative = 0x4000
	// packedScale is how many decimals a digit of 10,000 holds; plainScale the most
	// that are written here, so that shifting the fraction cannot overflow.
	packedScale = 4
	plainScale  = 16
	// plainDigits is how many digits are read here: four fit into a uint64 whatever
	// they are.
	plainDigits = 4
)

var powersOfTen = func() (p [20]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = 10 * p[i-1]
	}
	return p
}()

type encodeDecimal struct {
	// general writes a pgtype.Numeric, for the few that are too long for us.
	general pgtype.EncodePlan
}

// Encode implements pgtype.EncodePlan.
func (p encodeDecimal) Encode(value any, buf []byte) ([]byte, error) {
	d := value.(decimal.Decimal)
	if d.Scale() > plainScale {
		var n pgtype.Numeric
		if err := n.Scan(d.String()); err != nil {
			return nil, err
		}
		return p.general.Encode(n, buf)
	}
	// The digits of the whole part stand at the end of this array, those of the
	// fraction behind it: 19 decimals are five of the one and four of the other.
	const wholeDigits = 5
	var digits [wholeDigits + plainScale/packedScale]uint16
	unit := powersOfTen[d.Scale()]
	whole, fraction := d.Coef()/unit, d.Coef()%unit
	first := wholeDigits
	for ; whole > 0; whole /= 10_000 {
		first--
		digits[first] = uint16(whole % 10_000)
	}
	weight := wholeDigits - 1 - first
	groups := (d.Scale() + packedScale - 1) / packedScale
	fraction *= powersOfTen[groups*packedScale-d.Scale()]
	for i := groups - 1; i >= 0; i-- {
		digits[wholeDigits+i] = uint16(fraction % 10_000)
		fraction /= 10_000
	}
	last := wholeDigits + groups
	for last > first && digits[last-1] == 0 {
		last--
	}
	for first < last && digits[first] == 0 { // 0.00001: the fraction begins with nought
		first++
		weight--
	}
	if first == last {
		weight = 0
	}
	sign := uint16(0)
	if d.IsNeg() {
		sign = numericNegative
	}
	for _, n := range [4]uint16{uint16(last - first), uint16(weight), sign, uint16(d.Scale())} {
		buf = binary.BigEndian.AppendUint16(buf, n)
	}
	for _, n := range digits[first:last] {
		buf = binary.BigEndian.AppendUint16(buf, n)
	}
	return buf, nil
}

type scanDecimal struct {
	m   *pgtype.Map
	oid uint32
}

// Scan implements pgtype.ScanPlan.
func (p scanDecimal) Scan(src []byte, target any) error {
	into := target.(*decimal.Decimal)
	if d, ok := plainDecimal(src); ok {
		*into = d
		return nil
	}
	// NULL, what is no number, and the few that are too long for us.
	text, err := numericCodec{}.DecodeDatabaseSQLValue(p.m, p.oid, pgtype.BinaryFormatCode, src)
	if err != nil {
		return err
	}
	return into.Scan(text)
}

// plainDecimal reads a binary numeric, false if it takes more than a uint64.
func plainDecimal(src []byte) (decimal.Decimal, bool) {
	if len(src) < numericHeader {
		return decimal.Decimal{}, false
	}
	digits, weight := int(binary.BigEndian.Uint16(src)), int(int16(binary.BigEndian.Uint16(src[2:])))
	sign, scale := binary.BigEndian.Uint16(src[4:]), int(binary.BigEndian.Uint16(src[6:]))
	if digits > plainDigits || len(src) != numericHeader+2*digits || sign != 0 && sign != numericNegative || scale > plainScale {
		return decimal.Decimal{}, false
	}
	var coef uint64
	for at := numericHeader; at < len(src); at += 2 {
		coef = 10_000*coef + uint64(binary.BigEndian.Uint16(src[at:]))
	}
	// The last digit counts 10,000^(weight-digits+1); the coefficient 10^-scale.
	switch shift := packedScale*(weight-digits+1) + scale; {
	case coef == 0: // without decimals, as by its text
		return decimal.Decimal{}, true
	case shift < -3 || shift >= len(powersOfTen):
		return decimal.Decimal{}, false
	case shift < 0: // the decimals behind the scale are noughts
		coef /= powersOfTen[-shift]
	default:
		var over uint64
		if over, coef = bits.Mul64(coef, powersOfTen[shift]); over != 0 || coef > math.MaxInt64 {
			return decimal.Decimal{}, false
		}
	}
	value := int64(coef)
	if sign == numericNegative {
		value = -value
	}
	d, err := decimal.New(value, scale)
	return d, err == nil
}
