package pretii

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

const (
	// formOverhead is what a form may have around its file.
	formOverhead = 64 << 10
	// formParts bounds the fields of a form.
	formParts = 20
	// fieldBytes bounds one field that is no file.
	fieldBytes = 1 << 10
	// heldBytes is how much of a form's file is kept in memory, not on disk.
	heldBytes = 1 << 20
	// pieceTime is how long a client may be silent, uploadTime how long a whole
	// upload may take: 256 MiB at 3.5 Mbit/s.
	pieceTime  = 15 * time.Second
	uploadTime = 10 * time.Minute
)

// upload is a request to import a file, by form or as the raw body.
type upload struct {
	fileName, email string
	forced          bool
	file            io.Reader
	close           func()
}

// readUpload reads the request up to its file, and a form beyond it.
func (h *Handler) readUpload(w http.ResponseWriter, r *http.Request, body *pacedBody) (u upload, err error) {
	media, params, mediaErr := mime.ParseMediaType(r.Header.Get("Content-Type"))
	most := h.cfg.MaxBytes
	if media == "multipart/form-data" {
		most += formOverhead
	}
	body.limit(w, most)
	switch {
	case r.ContentLength > most:
		return upload{}, refused(fileTooLarge)
	case mediaErr == nil && media == "text/csv":
		query := r.URL.Query()
		return upload{
			fileName: text(query.Get("archivo")), email: text(query.Get("email")), forced: isForced(query.Get("forzar")),
			file: body, close: func() {},
		}, nil
	case mediaErr != nil || media != "multipart/form-data" || params["boundary"] == "":
		return upload{}, refused(unsupportedType)
	}
	u, err = h.readForm(multipart.NewReader(body, params["boundary"]))
	switch {
	case body.tooLarge || errors.Is(err, errFileTooLarge):
		return upload{}, refused(fileTooLarge)
	case body.broken:
		panic(http.ErrAbortHandler) // the client is gone or too slow: nobody to answer
	case errors.Is(err, errNoFile):
		return upload{}, invalid(map[string]string{"archivo": err.Error()})
	}
	return u, err
}

var (
	errNoFile       = errors.New("El archivo es obligatorio.") //nolint:staticcheck // the dialect's words
	errFileTooLarge = errors.New("the form's file passes the limit")
)

// readForm reads a form field by field. Fields may follow the file, and say what
// to do with it, so that the file is held meanwhile: a small one in memory, a
// large one on disk. A form that is cut off or malformed has no file.
func (h *Handler) readForm(form *multipart.Reader) (u upload, err error) {
	u.close = func() {}
	defer func() {
		if err != nil {
			u.close()
		}
	}()
	for range formParts {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return u, errNoFile
		}
		switch name := part.FormName(); {
		case name == "archivo" && u.file == nil:
			u.fileName = text(part.FileName())
			if u.file, u.close, err = h.hold(part); err != nil {
				return u, err
			}
		case name == "email" || name == "forzar":
			value, err := io.ReadAll(io.LimitReader(part, fieldBytes))
			if err != nil {
				return u, errNoFile
			}
			if name == "email" {
				u.email = text(string(value))
			} else {
				u.forced = isForced(string(value))
			}
		}
	}
	if u.file == nil {
		return u, errNoFile
	}
	return u, nil
}

// hold keeps a form's file until the form is read.
func (h *Handler) hold(part io.Reader) (file io.Reader, closeFile func(), err error) {
	var small bytes.Buffer
	n, err := io.CopyN(&small, part, heldBytes)
	if errors.Is(err, io.EOF) {
		if n > h.cfg.MaxBytes {
			return nil, func() {}, errFileTooLarge
		}
		return &small, func() {}, nil
	}
	if err != nil {
		return nil, func() {}, errNoFile
	}
	large, err := os.CreateTemp(h.cfg.SpoolDir, "sello-form-*.csv")
	if err != nil {
		return nil, func() {}, fmt.Errorf("hold a form's file: %w", err)
	}
	// Without a name it leaves nothing behind if the process dies.
	_ = os.Remove(large.Name())
	closeFile = func() { _ = large.Close() }
	if _, err = large.Write(small.Bytes()); err == nil {
		source := &readError{Reader: io.LimitReader(part, h.cfg.MaxBytes-n+1)}
		var more int64
		more, err = io.Copy(large, source)
		switch {
		case source.failed:
			err = errNoFile
		case err == nil && n+more > h.cfg.MaxBytes:
			err = errFileTooLarge
		case err == nil:
			_, err = large.Seek(0, io.SeekStart)
		}
	}
	if err != nil {
		closeFile()
		return nil, func() {}, err
	}
	return large, closeFile, nil
}

// readError tells a form that cannot be read from a disk that cannot be written.
type readError struct {
	io.Reader
	failed bool
}

func (r *readError) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.failed = true
	}
	return n, err
}

func isForced(value string) bool {
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "1", "true":
		return true
	}
	return false
}

// text reads bytes that are not valid UTF-8 as Windows-1252 (spec/pretii.md 2).
func text(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	decoded, err := charmap.Windows1252.NewDecoder().String(s)
	if err != nil {
		return strings.ToValidUTF8(s, "")
	}
	return decoded
}

// pacedBody is a request body that may take long as a whole but never pauses for
// long: the listener's time-out for reading is too short for a large file.
type pacedBody struct {
	body     io.ReadCloser
	control  *http.ResponseController
	begun    time.Time
	extended time.Time
	// tooLarge and broken tell why reading ended early.
	tooLarge, broken bool
}

func paced(w http.ResponseWriter, r *http.Request) *pacedBody {
	return &pacedBody{body: r.Body, control: http.NewResponseController(w), begun: time.Now()}
}

func (b *pacedBody) limit(w http.ResponseWriter, bytes int64) {
	b.body = http.MaxBytesReader(w, b.body, bytes)
}

// Read reads on, extending the deadline once a second at most.
func (b *pacedBody) Read(p []byte) (int, error) {
	if now := time.Now(); now.Sub(b.extended) > time.Second {
		b.extended = now
		deadline := now.Add(pieceTime)
		if last := b.begun.Add(uploadTime); deadline.After(last) {
			deadline = last
		}
		// A connection that cannot be timed (a recorder's in a test) is read anyway.
		_ = b.control.SetReadDeadline(deadline)
	}
	n, err := b.body.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		if _, over := errors.AsType[*http.MaxBytesError](err); over {
			b.tooLarge = true
		} else {
			b.broken = true
		}
	}
	return n, err
}

// over gives what is left of the request's body a last moment.
func (b *pacedBody) over() { _ = b.control.SetReadDeadline(time.Now().Add(pieceTime)) }
