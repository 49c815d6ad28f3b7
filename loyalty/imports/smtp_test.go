package imports_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"

	"sello/loyalty/notify"
)

// mailbox is a mail server that keeps what it is sent.
type mailbox struct {
	mu    sync.Mutex
	mails []received
	// answer, if set, is what each recipient is refused with.
	answer *smtp.SMTPError
}

type received struct {
	to, subject, body, messageID string
	attachments                  map[string]string
}

func (b *mailbox) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{box: b}, nil }

func (b *mailbox) all() []received {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]received(nil), b.mails...)
}

type session struct{ box *mailbox }

func (*session) Mail(string, *smtp.MailOptions) error { return nil }
func (*session) Reset()                               {}
func (*session) Logout() error                        { return nil }

func (s *session) Rcpt(string, *smtp.RcptOptions) error {
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	if s.box.answer != nil {
		return s.box.answer
	}
	return nil
}

func (s *session) Data(r io.Reader) error {
	m, err := readMail(r)
	if err != nil {
		return err
	}
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	s.box.mails = append(s.box.mails, m)
	return nil
}

func readMail(r io.Reader) (received, error) {
	msg, err := mail.ReadMessage(r)
	if err != nil {
		return received{}, err
	}
	var words mime.WordDecoder
	m := received{messageID: msg.Header.Get("Message-Id"), attachments: map[string]string{}}
	if m.subject, err = words.DecodeHeader(msg.Header.Get("Subject")); err != nil {
		return m, err
	}
	to, err := mail.ParseAddress(msg.Header.Get("To"))
	if err != nil {
		return m, err
	}
	m.to = to.Address
	kind, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil {
		return m, err
	}
	if !strings.HasPrefix(kind, "multipart/") {
		m.body, err = decodePart(msg.Body, msg.Header.Get("Content-Transfer-Encoding"))
		return m, err
	}
	parts := multipart.NewReader(msg.Body, params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			return m, nil
		}
		if err != nil {
			return m, err
		}
		text, err := decodePart(part, part.Header.Get("Content-Transfer-Encoding"))
		if err != nil {
			return m, err
		}
		if name := part.FileName(); name != "" {
			m.attachments[name] = text
		} else {
			m.body = text
		}
	}
}

func decodePart(r io.Reader, encoding string) (string, error) {
	switch encoding {
	case "quoted-printable":
		r = quotedprintable.NewReader(r)
	case "base64":
		r = base64.NewDecoder(base64.StdEncoding, r)
	}
	var b bytes.Buffer
	_, err := io.Copy(&b, r)
	return b.String(), err
}

// serve starts the mail server on an address of its own, or on the one given.
func (b *mailbox) serve(t *testing.T, addr string) string {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s := smtp.NewServer(b)
	s.Domain = "mail.example.com"
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.Serve(l) })
	t.Cleanup(func() {
		_ = s.Close()
		wg.Wait()
	})
	return l.Addr().String()
}

// mailTo makes an environment send its mails to the server at addr.
func (e *env) mailTo(t *testing.T, addr string) {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	e.notify.Mailer, err = notify.NewSMTP(notify.SMTPConfig{
		Host: host, Port: n, From: "avisos@example.com", FromName: "Fidelización", TLS: notify.None,
	})
	if err != nil {
		t.Fatal(err)
	}
}
