package wallet

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/govalues/decimal"
)

// outcome is the body of a failure, and of a success that has nothing to show.
type outcome struct {
	Success bool   `json:"success"`
	Message string `json:"message"`
	Status  int    `json:"status"`
	Code    string `json:"code"`
}

// newBalance is the success of a sale and of a balance update.
type newBalance struct {
	Success    bool        `json:"success"`
	Message    string      `json:"message"`
	NewBalance json.Number `json:"newBalance"`
	Code       string      `json:"code"`
	Status     int         `json:"status"`
}

// fail answers a failure.
func fail(w http.ResponseWriter, a answer) {
	status := cmp.Or(a.status, http.StatusBadRequest)
	httpStatus := http.StatusOK
	if a.outside {
		httpStatus = status
	}
	send(w, httpStatus, outcome{Message: a.message, Status: status, Code: a.code})
}

// done answers a success without a result.
func done(w http.ResponseWriter, code, message string) {
	send(w, http.StatusOK, outcome{Success: true, Message: message, Status: http.StatusOK, Code: code})
}

// send writes one whole body. That nobody reads it any more is no fault of ours.
func send(w http.ResponseWriter, status int, body any) {
	var b bytes.Buffer
	if err := encode(&b, body); err != nil {
		panic(err) // our own structs always encode
	}
	asJSON(w)
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

func asJSON(w http.ResponseWriter) { w.Header().Set("Content-Type", "application/json; charset=utf-8") }

// encode appends a value without its line's end and with <, > and & as they are.
func encode(b *bytes.Buffer, v any) error {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("encode an answer: %w", err)
	}
	b.Truncate(b.Len() - 1)
	return nil
}

// number is an amount as a JSON number: at most two decimals, no trailing zeros,
// no exponent (spec/wallet.md 2.5). A wallet with finer amounts shows what can be
// spent, so that it is rounded down.
func number(d decimal.Decimal) json.Number {
	d = d.Floor(maxDecimals).Trim(0)
	if d.IsZero() {
		return "0" // never "-0"
	}
	return json.Number(d.String())
}

// page is one page of a list: its rows as the tills see them, and where the next
// begins, nil behind the last.
type page struct {
	rows []any
	next *string
}

// stream answers a list as {"success":true,"result":[…], and the rest of the
// object. Pages are written as they are read, so that memory does not grow with
// the list; the caller of a fault on a later page looks whether w has begun.
func stream(w http.ResponseWriter, rest string, read func(after *string) (page, error)) error {
	var b bytes.Buffer
	b.WriteString(`{"success":true,"result":[`)
	for after, comma := (*string)(nil), false; ; {
		p, err := read(after)
		if err != nil {
			return err
		}
		for _, row := range p.rows {
			if comma {
				b.WriteByte(',')
			}
			comma = true
			if err := encode(&b, row); err != nil {
				return err
			}
		}
		if p.next == nil {
			b.WriteString("]," + rest + "}")
		}
		asJSON(w)
		if _, err := w.Write(b.Bytes()); err != nil || p.next == nil {
			return nil //nolint:nilerr // without a reader there is nobody to tell
		}
		b.Reset()
		after = p.next
	}
}

// text is an optional text, "" if there is none.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
