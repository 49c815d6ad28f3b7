package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// wire is one kept-open HTTP/1.1 connection for load: the request is written as it
// stands, of the answer only what is measured is read. A general client costs the
// machine, which the server under test shares, three times as much.
type wire struct {
	conn net.Conn
	in   *bufio.Reader
	body []byte
}

func dialWire(ctx context.Context, addr string) (*wire, error) {
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("connect to the server: %w", err)
	}
	return newWire(conn), nil
}

func newWire(conn net.Conn) *wire { return &wire{conn: conn, in: bufio.NewReaderSize(conn, 8<<10)} }

func (w *wire) close() error { return w.conn.Close() }

// wireAnswer is an HTTP answer; its body is good until the next exchange.
type wireAnswer struct {
	status   int
	replayed bool // the header Idempotency-Replayed is there
	body     []byte
}

// maxWireBody bounds an answer: those of postings have a few hundred bytes.
const maxWireBody = 1 << 20

var (
	headerLength   = []byte("content-length")
	headerReplayed = []byte("idempotency-replayed")
)

// exchange sends one whole request and reads its answer, which has to say how long
// it is.
func (w *wire) exchange(request []byte) (wireAnswer, error) {
	a := wireAnswer{}
	if _, err := w.conn.Write(request); err != nil {
		return a, fmt.Errorf("send a request: %w", err)
	}
	line, err := w.in.ReadSlice('\n')
	if err != nil {
		return a, fmt.Errorf("read an answer: %w", err)
	}
	if len(line) < len("HTTP/1.1 200") || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return a, fmt.Errorf("read an answer: %.40q is no status line", line)
	}
	if a.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return a, fmt.Errorf("read an answer: %.40q is no status line", line)
	}
	length := -1
	for {
		if line, err = w.in.ReadSlice('\n'); err != nil {
			return a, fmt.Errorf("read an answer's headers: %w", err)
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		switch name, value, _ := bytes.Cut(line, []byte(":")); {
		case len(name) == len(headerLength) && bytes.EqualFold(name, headerLength):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return a, fmt.Errorf("read an answer's length: %w", err)
			}
		case len(name) == len(headerReplayed) && bytes.EqualFold(name, headerReplayed):
			a.replayed = true
		}
	}
	if length < 0 || length > maxWireBody {
		return a, errors.New("read an answer: it does not say how long it is")
	}
	if cap(w.body) < length {
		w.body = make([]byte, length)
	}
	a.body = w.body[:length]
	if _, err := io.ReadFull(w.in, a.body); err != nil {
		return a, fmt.Errorf("read an answer's body: %w", err)
	}
	return a, nil
}

// wireRequest is a POST whose head is the same each time but for the length.
type wireRequest struct {
	head []byte // up to and with "Content-Length: "
	out  []byte
}

func newWireRequest(host, path string, header http.Header) *wireRequest {
	var head bytes.Buffer
	fmt.Fprintf(&head, "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: sello-bench\r\n", path, host)
	_ = header.Write(&head) // a buffer takes everything
	head.WriteString("Content-Length: ")
	return &wireRequest{head: head.Bytes()}
}

// bytes is the whole request with the body; good until the next call.
func (r *wireRequest) bytes(body []byte) []byte {
	r.out = append(r.out[:0], r.head...)
	r.out = strconv.AppendInt(r.out, int64(len(body)), 10)
	r.out = append(r.out, "\r\n\r\n"...)
	r.out = append(r.out, body...)
	return r.out
}
