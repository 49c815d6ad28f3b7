package pointsfile

import (
	"strconv"
	"strings"
)

// Code names why a row (4.3) or a file (4.2) was turned away. The values are
// part of the legacy contract: added to, never renamed.
type Code string

// Codes of a rejected row, in the order in which they are checked
// (spec/pretii.md 4.3). RowTooLong is an addition of ours: the specification
// sets no bound on a record and memory needs one.
const (
	UnclosedQuote      Code = "comillas_sin_cerrar"
	RowTooLong         Code = "fila_muy_larga"
	TooManyCells       Code = "columnas_de_mas"
	FirstNameMissing   Code = "nombres_obligatorio"
	FirstNameTooLong   Code = "nombres_largo"
	LastNameTooLong    Code = "apellidos_largo"
	EmailMissing       Code = "email_obligatorio"
	EmailInvalid       Code = "email_invalido"
	DocumentInvalid    Code = "documento_invalido"
	PointsInvalid      Code = "puntos_invalidos"
	EmailRepeated      Code = "email_duplicado"
	DocumentOfAnother  Code = "documento_de_otro_cliente"
	duplicateLinePlace      = "{n}"
)

// Codes of a refused file (spec/pretii.md 4.2). NotCSV, TooManyColumns and an
// UnclosedQuote in the header are additions of ours.
const (
	FileEmpty       Code = "archivo_vacio"
	ColumnMissing   Code = "columna_obligatoria_faltante"
	ColumnRepeated  Code = "columna_repetida"
	TooManyRows     Code = "demasiadas_filas"
	NotCSV          Code = "archivo_no_es_csv"
	TooManyColumns  Code = "demasiadas_columnas"
	columnNamePlace      = "{columna}"
)

// Messages holds the Spanish words of every code. Those of EmailRepeated carry
// the place {n}, those of ColumnMissing and ColumnRepeated {columna}; [Reason]
// and [Refusal] fill them.
var Messages = map[Code]string{
	UnclosedQuote:     "La fila tiene comillas sin cerrar.",
	RowTooLong:        "La fila es demasiado larga.",
	TooManyCells:      "La fila tiene más columnas que el encabezado.",
	FirstNameMissing:  "El campo nombres es obligatorio.",
	FirstNameTooLong:  "El campo nombres es demasiado largo.",
	LastNameTooLong:   "El campo apellidos es demasiado largo.",
	EmailMissing:      "El campo email es obligatorio.",
	EmailInvalid:      "El email no es válido.",
	DocumentInvalid:   "El documento de identidad no es válido.",
	PointsInvalid:     "Los puntos deben ser un número entero mayor o igual a 0.",
	EmailRepeated:     "Email duplicado en el archivo (primera aparición en la línea {n}).",
	DocumentOfAnother: "El documento de identidad pertenece a otro cliente.",

	FileEmpty:      "El archivo está vacío.",
	ColumnMissing:  "Falta la columna obligatoria: {columna}.",
	ColumnRepeated: "La columna {columna} está repetida.",
	TooManyRows:    "El archivo supera 1000000 de filas.",
	NotCSV:         "El archivo no es un CSV válido.",
	TooManyColumns: "El archivo tiene demasiadas columnas.",
}

// Reason is the motivo of a rejected row. firstLine is the physical line of
// the email's first row; only EmailRepeated reads it.
func Reason(code Code, firstLine int64) string {
	if code == EmailRepeated {
		return DuplicateEmailReason(firstLine)
	}
	return Messages[code]
}

// DuplicateEmailReason is the motivo of an email that an earlier row of the
// file, the one on firstLine, already has.
func DuplicateEmailReason(firstLine int64) string {
	return strings.Replace(Messages[EmailRepeated], duplicateLinePlace, strconv.FormatInt(firstLine, 10), 1)
}

// Refusal is the error of a file that is turned away as a whole: the import
// becomes rechazada and nothing of it is applied (spec/pretii.md 4.2).
type Refusal struct {
	// Code is rechazo.codigo.
	Code Code
	// Message is rechazo.mensaje, complete and in Spanish.
	Message string
}

// Error returns the message with its code; it holds nothing of the file but
// the name of a column of ours.
func (r *Refusal) Error() string { return string(r.Code) + ": " + r.Message }

func refuse(code Code) *Refusal { return &Refusal{Code: code, Message: Messages[code]} }

func refuseColumn(code Code, column string) *Refusal {
	return &Refusal{Code: code, Message: strings.Replace(Messages[code], columnNamePlace, column, 1)}
}
