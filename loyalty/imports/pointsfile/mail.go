package pointsfile

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Outcome is the final state of an import (spec/pretii.md 4.1).
type Outcome string

// The final states.
const (
	Finished Outcome = "terminada"
	Refused  Outcome = "rechazada"
	Failed   Outcome = "fallida"
)

const (
	// MaxListed is the number of rejected rows that the result mail lists.
	MaxListed = 20
	// MaxAttachment is the largest error file, in bytes, that is attached.
	MaxAttachment = 5 << 20
	// mailTime is dd/mm/aaaa hh:mm.
	mailTime = "02/01/2006 15:04"
)

// Totals are the totales of an import (spec/pretii.md 4.6): Rows is always
// Applied + Rejected.
type Totals struct {
	Rows             int64 // filas
	Applied          int64 // aplicadas
	Rejected         int64 // con_error
	CustomersCreated int64 // clientes_creados
	CustomersUpdated int64 // clientes_actualizados
	PointsAssigned   int64 // puntos_asignados
}

// RowError is a rejected row as people are shown it.
type RowError struct {
	Line   int64
	Reason string // motivo, see [Reason]
	Value  string // valor, blank for errors of the whole row
}

// Result is what the result mail reports.
type Result struct {
	Outcome  Outcome
	FileName string
	// StartedAt and FinishedAt are shown in Location, the tenant's time zone;
	// nil is UTC.
	StartedAt, FinishedAt time.Time
	Location              *time.Location
	Totals                Totals
	// Errors are the first rejected rows in file order; the mail lists
	// MaxListed of them, how many there are in all is Totals.Rejected.
	Errors []RowError
	// Refusal is rechazo.mensaje of a refused file.
	Refusal string
	// ErrorFileSize is the size of errores.csv in bytes.
	ErrorFileSize int64
}

// Mail is the rendered result mail, plain text.
type Mail struct {
	Subject string
	Body    string
	// Attach tells that errores.csv is to be attached.
	Attach bool
}

// RenderMail words the result mail (spec/pretii.md 4.7).
func RenderMail(r Result) Mail {
	file := oneLine(r.FileName)
	switch r.Outcome {
	case Refused:
		return Mail{
			Subject: "No se pudo procesar el archivo " + file,
			Body: "Hola:\n\nEl archivo " + file + " no se procesó.\nMotivo: " + oneLine(r.Refusal) +
				"\nNo se asignó ningún punto.\n",
		}
	case Failed:
		return Mail{
			Subject: "La asignación masiva de puntos no terminó: " + file,
			Body: "Hola:\n\nLa asignación masiva de puntos del archivo " + file + " se detuvo por un error interno.\n" +
				r.Totals.text() + "Puede subir el mismo archivo otra vez: continuará donde se detuvo.\n",
		}
	default:
		return finishedMail(r, file)
	}
}

func finishedMail(r Result, file string) Mail {
	zone := r.Location
	if zone == nil {
		zone = time.UTC
	}
	m := Mail{
		Subject: "Resultado de la asignación masiva de puntos: " + file,
		Attach:  r.Totals.Rejected > 0 && r.ErrorFileSize <= MaxAttachment,
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Hola:\n\nTerminó la asignación masiva de puntos.\n\nArchivo: %s\nInicio: %s\nFin: %s\n\n%s",
		file, r.StartedAt.In(zone).Format(mailTime), r.FinishedAt.In(zone).Format(mailTime), r.Totals.text())
	if r.Totals.Rejected == 0 {
		m.Body = b.String()
		return m
	}
	b.WriteString("\nFilas con error:\n")
	listed := r.Errors[:min(MaxListed, len(r.Errors))]
	for _, e := range listed {
		fmt.Fprintf(&b, "- Línea %d: %s", e.Line, e.Reason)
		if e.Value != "" {
			fmt.Fprintf(&b, " (%s)", oneLine(e.Value))
		}
		b.WriteByte('\n')
	}
	if rest := r.Totals.Rejected - int64(len(listed)); rest > 0 {
		fmt.Fprintf(&b, "- … y %d filas más.\n", rest)
	}
	if m.Attach {
		b.WriteString("\nEl archivo adjunto errores.csv contiene todas las filas con error.")
	} else {
		b.WriteString("\nDescargue el archivo errores.csv desde el panel.")
	}
	b.WriteString(" Corrija esas filas y suba solo ese archivo; si vuelve a subir el archivo completo corregido, " +
		"los puntos de las filas correctas se asignarán otra vez.\n")
	m.Body = b.String()
	return m
}

func (t Totals) text() string {
	return fmt.Sprintf("Filas leídas: %d\nFilas aplicadas: %d\nFilas con error: %d\n"+
		"Clientes creados: %d\nClientes actualizados: %d\nPuntos asignados: %d\n",
		t.Rows, t.Applied, t.Rejected, t.CustomersCreated, t.CustomersUpdated, t.PointsAssigned)
}

// oneLine keeps what a sender wrote, a file name or a cell, from adding lines
// to the mail or to its header.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
}
