package bench

import (
	"fmt"
	"strings"
)

// badKind makes a row that breaks one rule of spec/pretii.md 4.3.
type badKind struct {
	name string
	// cells makes the row of a stranger, whose cells it may change; reason is the
	// motivo, which may depend on an earlier row.
	cells  func(g *generator, cells []string) (changed []string, reason string)
	broken bool // COPY cannot read it
}

// fixed is a kind whose reason is always the same.
func fixed(name, reason string, change func([]string) []string) badKind {
	return badKind{name: name, cells: func(_ *generator, cells []string) ([]string, string) { return change(cells), reason }}
}

func set(at int, value string) func([]string) []string {
	return func(cells []string) []string {
		cells[at] = value
		return cells
	}
}

const (
	pointsReason   = "Los puntos deben ser un número entero mayor o igual a 0."
	emailReason    = "El email no es válido."
	documentReason = "El documento de identidad no es válido."
)

var badKinds = []badKind{
	fixed("nombres_obligatorio", "El campo nombres es obligatorio.", set(0, " ")),
	fixed("nombres_largo", "El campo nombres es demasiado largo.", set(0, strings.Repeat("ñ", 121))),
	fixed("apellidos_largo", "El campo apellidos es demasiado largo.", set(1, strings.Repeat("x", 121))),
	fixed("email_obligatorio", "El campo email es obligatorio.", set(2, "")),
	fixed("email_invalido", emailReason, set(2, "luis@")),
	fixed("email_invalido", emailReason, set(2, "sin arroba.example")),
	fixed("documento_invalido", documentReason, set(3, "4.5678912E+07")),
	fixed("documento_invalido", documentReason, set(3, "12")),
	fixed("puntos_invalidos", pointsReason, set(4, "-5")),
	fixed("puntos_invalidos", pointsReason, set(4, "12.5")),
	fixed("puntos_invalidos", pointsReason, set(4, "1.000")),
	fixed("puntos_invalidos", pointsReason, set(4, "abc")),
	fixed("puntos_invalidos", pointsReason, set(4, "1000001")),
	{name: "email_duplicado", cells: func(g *generator, cells []string) ([]string, string) {
		first := g.seen[g.rng.IntN(len(g.seen))]
		cells[2] = strings.ToUpper(first.who.email)
		return cells, fmt.Sprintf("Email duplicado en el archivo (primera aparición en la línea %d).", first.line)
	}},
	{name: "documento_de_otro_cliente", cells: func(g *generator, cells []string) ([]string, string) {
		for {
			// There is one: of any ten people nine carry their document.
			if other := g.seen[g.rng.IntN(len(g.seen))]; other.full {
				cells[3] = other.who.document
				return cells, "El documento de identidad pertenece a otro cliente."
			}
			if !anyFull(g.seen) { // in a very short file; then it is something else
				cells[3] = "?"
				return cells, documentReason
			}
		}
	}},
	{name: "columnas_de_mas", broken: true, cells: func(_ *generator, cells []string) ([]string, string) {
		return append(cells, "sobra"), "La fila tiene más columnas que el encabezado."
	}},
}

var unclosedQuote = badKind{name: "comillas_sin_cerrar", broken: true, cells: func(_ *generator, cells []string) ([]string, string) {
	return append(cells[:5], `"sin cerrar`), "La fila tiene comillas sin cerrar."
}}

func anyFull(rows []seenRow) bool {
	for _, r := range rows {
		if r.full {
			return true
		}
	}
	return false
}

func (g *generator) bad(k badKind) {
	p := g.stranger()
	cells, reason := k.cells(g, []string{p.first, p.last, p.email, p.document, "10", ""})
	g.Bad = append(g.Bad, BadRow{Line: g.line, Reason: reason, Kind: k.name})
	g.row(strings.Join(cells, g.delimiter())+"\n", !k.broken)
}
