package bench

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
)

// FileOptions shape a generated points file (spec/pretii.md 4). The same options
// give the same bytes.
type FileOptions struct {
	// Name is what the upload is called.
	Name string
	// Rows is the number of data rows, good and bad.
	Rows int
	// BadPercent of them are bad, of every kind.
	BadPercent int
	// New and Known are ranges of people: rows name first all of New once, who are
	// created, then people of Known, who have to be there. Rows without New or Known
	// left are not possible.
	New, Known People
	// Encoding is UTF8 if empty; Delimiter a comma if zero.
	Encoding  Encoding
	Delimiter byte
	// Seed draws points and the order of rows.
	Seed uint64
}

// Encoding is how a file's letters are written.
type Encoding string

// The encodings of generated files.
const (
	UTF8        Encoding = "utf-8"
	Windows1252 Encoding = "windows-1252"
)

// delimiter is what stands between a row's cells.
func (o FileOptions) delimiter() string {
	if o.Delimiter == 0 {
		return ","
	}
	return string(o.Delimiter)
}

// header is the first line.
func (o FileOptions) header() string {
	return strings.Join([]string{"nombres", "apellidos", "email", "documento_de_identidad", "puntos", "nota"}, o.delimiter()) + "\n"
}

// People is a range of generated persons, From inclusive, To exclusive.
type People struct{ From, To int }

// Count is the number of persons.
func (p People) Count() int { return p.To - p.From }

// BadRow is a row that has to be rejected, and how.
type BadRow struct {
	// Line is the physical line on which it begins.
	Line int
	// Reason is the motivo, word for word.
	Reason string
	// Kind names it in counts.
	Kind string
}

// PointsFile is a generated file and all that has to come of it.
type PointsFile struct {
	FileOptions
	// Path is the file; PlainPath the same without the rows that COPY cannot read
	// (too many cells, an open quote), PlainRows of them.
	Path, PlainPath string
	PlainRows       int
	Bytes           int64

	// Good is the points of each accepted row by the customer's e-mail.
	Good map[string]int64
	// Bad is every bad row in file order.
	Bad []BadRow
	// Points, Created and Updated are the totals to come.
	Points           int64
	Created, Updated int
}

// person is a generated customer: the same number is always the same person.
type person struct {
	first, last, email, document string
}

var (
	firstNames = strings.Fields(`María José Luis Ana Carlos Rosa Jorge Carmen Juan Lucía Miguel Elena Pedro Sofía Raúl Inés Óscar Beatriz Iván Julia
		Martín Noemí Félix Ángela Hugo Pilar Andrés Gabriela Tomás Verónica Joaquín Mónica Adrián Silvia Rubén Teresa César Nuria Ramón Belén`)
	lastNames = strings.Fields(`García Quispe Flores Rodríguez Mamani Sánchez Rojas Huamán López Díaz Torres Ramírez Castillo Vásquez Chávez Mendoza
		Gutiérrez Ramos Fernández Espinoza Cruz Peña Núñez Muñoz Ibáñez Córdova Zúñiga Benítez Aguilar Salazar Paredes Cárdenas Ortiz Peralta`)
	plain = strings.NewReplacer("á", "a", "é", "e", "í", "i", "ó", "o", "ú", "u", "ñ", "n", "Á", "A", "É", "E", "Ó", "O", "ü", "u")
)

func personOf(i int) person {
	rng := rand.New(rand.NewPCG(7, uint64(i)))
	pick := func(names []string) string { return names[rng.IntN(len(names))] }
	p := person{first: pick(firstNames), last: pick(lastNames) + " " + pick(lastNames)}
	if rng.IntN(4) == 0 {
		p.first += " " + pick(firstNames)
	}
	p.email = fmt.Sprintf("%s.%s.%d@correo.example", word(p.first), word(p.last), i)
	p.document = fmt.Sprintf("%08d", 10_000_000+i)
	return p
}

func word(name string) string {
	first, _, _ := strings.Cut(name, " ")
	return strings.ToLower(plain.Replace(first))
}

// sparse people come without last name and document as long as they are new, so
// that a later row about them fills them in.
func sparse(i int) bool { return i%10 == 3 }

// WriteFile generates a file into a folder.
func WriteFile(dir string, o FileOptions) (*PointsFile, error) {
	g := &generator{
		PointsFile: &PointsFile{
			FileOptions: o, Path: dir + "/" + o.Name, PlainPath: dir + "/plain-" + o.Name, Good: make(map[string]int64, o.Rows),
		},
		rng: rand.New(rand.NewPCG(o.Seed, 11)), line: 1,
	}
	bad := o.Rows * o.BadPercent / 100
	if o.Rows-bad > o.New.Count()+o.Known.Count() || o.New.Count() > o.Rows-bad {
		return nil, fmt.Errorf("%d good rows cannot name %d new and some of %d known people once", o.Rows-bad, o.New.Count(), o.Known.Count())
	}
	whole, err := os.Create(g.Path)
	if err != nil {
		return nil, err
	}
	defer whole.Close()
	readable, err := os.Create(g.PlainPath)
	if err != nil {
		return nil, err
	}
	defer readable.Close()
	g.whole, g.plain = bufio.NewWriter(whole), bufio.NewWriter(readable)
	if o.Encoding == Windows1252 {
		g.encode = charmap.Windows1252.NewEncoder()
	}
	g.write(bad)
	if err := errors.Join(g.whole.Flush(), g.plain.Flush()); err != nil {
		return nil, fmt.Errorf("write a points file: %w", err)
	}
	g.Bytes, err = whole.Seek(0, io.SeekCurrent)
	return g.PointsFile, err
}

// generator writes rows and keeps the account of them. Errors of the writers show
// at their Flush.
type generator struct {
	*PointsFile
	rng          *rand.Rand
	whole, plain *bufio.Writer
	line         int // of the row to come
	strangers    int
	seen         []seenRow
	encode       *encoding.Encoder // nil for UTF-8
}

// seenRow is a good row that later bad ones refer to.
type seenRow struct {
	line int
	who  person
	full bool // it carried the document
}

func (g *generator) write(bad int) {
	g.row(g.header(), true)
	people := g.order(g.Rows - bad)
	// Bad rows are spread over the file; two good ones come first, for those that
	// repeat something.
	isBad := make([]bool, g.Rows)
	for _, at := range g.rng.Perm(max(0, g.Rows-3))[:max(0, min(bad-1, g.Rows-3))] {
		isBad[at+2] = true
	}
	// The last row of all leaves a quote open, which would swallow any other.
	if bad > 0 {
		isBad[g.Rows-1] = true
	}
	kind := 0
	for i := range g.Rows {
		switch {
		case isBad[i] && i == g.Rows-1:
			g.bad(unclosedQuote)
		case isBad[i]:
			g.bad(badKinds[kind%len(badKinds)])
			kind++
		default:
			g.good(people[0])
			people = people[1:]
		}
	}
}

// order is whom the good rows name: all new people and as many known ones as are
// left to name, shuffled.
func (g *generator) order(rows int) []int {
	people := make([]int, 0, rows)
	for i := g.New.From; i < g.New.To; i++ {
		people = append(people, i)
	}
	for _, i := range g.rng.Perm(g.Known.Count())[:rows-g.New.Count()] {
		people = append(people, g.Known.From+i)
	}
	g.rng.Shuffle(len(people), func(a, b int) { people[a], people[b] = people[b], people[a] })
	return people
}

func (g *generator) good(i int) {
	p := personOf(i)
	isNew := g.New.From <= i && i < g.New.To
	cells := []string{p.first, p.last, p.email, p.document, "", ""}
	full := !isNew || !sparse(i)
	if !full {
		cells[1], cells[3] = "", ""
	}
	points := int64(g.rng.IntN(500))
	cells[4] = g.points(points)
	if g.rng.IntN(8) == 0 {
		cells[2] = strings.ToUpper(p.email[:1]) + p.email[1:]
	}
	if g.rng.IntN(200) == 0 {
		cells[5] = "\"cliente desde 2019,\nviene los \"\"martes\"\"\""
	}
	g.seen = append(g.seen, seenRow{g.line, p, full})
	g.Good[p.email] = points
	g.Points += points
	switch {
	case isNew:
		g.Created++
	case sparse(i):
		g.Updated++
	}
	g.row(strings.Join(cells, g.delimiter())+"\n", true)
}

// points writes a number in one of the ways that count.
func (g *generator) points(n int64) string {
	switch g.rng.IntN(12) {
	case 0:
		return strconv.FormatInt(n, 10) + ".0"
	case 1:
		return fmt.Sprintf("\"%d,00\"", n)
	case 2:
		if n == 0 {
			return ""
		}
	}
	return strconv.FormatInt(n, 10)
}

// row writes a row, and to the plain file too if COPY can read it.
func (g *generator) row(text string, readable bool) {
	if readable && g.line > 1 {
		g.PlainRows++
	}
	g.line += strings.Count(text, "\n")
	if g.encode != nil {
		encoded, err := g.encode.String(text)
		if err != nil {
			panic(err) // all letters of the generator are in Windows-1252
		}
		text = encoded
	}
	_, _ = g.whole.WriteString(text)
	if readable {
		_, _ = g.plain.WriteString(text)
	}
}

// stranger is somebody who is in no good row of any file.
func (g *generator) stranger() person {
	g.strangers++
	p := personOf(1_000_000_000 + g.New.From*1000 + g.strangers)
	p.document = fmt.Sprintf("X%09d", g.New.From*1000+g.strangers)
	return p
}
