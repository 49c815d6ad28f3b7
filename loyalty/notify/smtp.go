package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/textproto"
	"time"

	"github.com/wneessen/go-mail"
)

// TLS says how the connection to the mail server is encrypted.
type TLS string

// The policies. Mandatory is the default.
const (
	// Mandatory: STARTTLS, or no mail.
	Mandatory TLS = "mandatory"
	// Opportunistic: STARTTLS where the server offers it.
	Opportunistic TLS = "opportunistic"
	// Implicit: TLS from the first byte (port 465).
	Implicit TLS = "implicit"
	// None: clear text, for a relay on the same host.
	None TLS = "none"
)

// SMTPConfig names the mail server.
type SMTPConfig struct {
	Host string
	// Port is 587 if zero, 465 with Implicit.
	Port int
	// Username and Password sign in; blank: no sign-in.
	Username, Password string
	// From is the sender's address, FromName what people see of it.
	From, FromName string
	// TLS is Mandatory if blank.
	TLS TLS
	// Timeout bounds each step of the exchange; 15 s if zero.
	Timeout time.Duration
}

// SMTP is the Mailer that hands mails to a server, one connection each: mails
// are few, and a connection kept open is one more thing that breaks.
type SMTP struct {
	client   *mail.Client
	from     string
	fromName string
}

// NewSMTP checks the configuration; it does not connect.
func NewSMTP(c SMTPConfig) (*SMTP, error) {
	timeout := c.Timeout
	if timeout == 0 {
		timeout = 15 * time.Second
	}
	options := []mail.Option{mail.WithTimeout(timeout)}
	port := c.Port
	switch c.TLS {
	case Mandatory, "":
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	case Opportunistic:
		options = append(options, mail.WithTLSPolicy(mail.TLSOpportunistic))
	case None:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	case Implicit:
		options = append(options, mail.WithSSL())
		if port == 0 {
			port = 465
		}
	default:
		return nil, fmt.Errorf("mail server: unknown TLS policy %q", c.TLS)
	}
	if port == 0 {
		port = 587
	}
	options = append(options, mail.WithPort(port))
	if c.Username != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover),
			mail.WithUsername(c.Username), mail.WithPassword(c.Password))
	}
	client, err := mail.NewClient(c.Host, options...)
	if err != nil {
		return nil, fmt.Errorf("mail server: %w", err)
	}
	if err := mail.NewMsg().FromFormat(c.FromName, c.From); err != nil {
		return nil, fmt.Errorf("mail server: sender: %w", err)
	}
	return &SMTP{client: client, from: c.From, fromName: c.FromName}, nil
}

// Outcome says that messages are sent.
func (*SMTP) Outcome() Status { return Sent }

// Send hands a mail to the server. It fails with *PermanentError where the
// server, or the form of the address, rules the recipient out, else with
// *SendError.
func (s *SMTP) Send(ctx context.Context, m Mail) error {
	msg, err := s.compose(m)
	if err != nil {
		return err
	}
	conn, err := s.client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return connectError(err)
	}
	sendErr := s.client.SendWithSMTPClient(conn, msg)
	// A parting that goes wrong does not undo the server's word for the mail.
	_ = s.client.CloseWithSMTPClient(conn)
	if sendErr != nil {
		return deliveryError(sendErr)
	}
	return nil
}

func (s *SMTP) compose(m Mail) (*mail.Msg, error) {
	msg := mail.NewMsg()
	if err := msg.FromFormat(s.fromName, s.from); err != nil {
		return nil, fmt.Errorf("compose a mail: %w", err)
	}
	if err := msg.To(m.To); err != nil {
		return nil, &PermanentError{Reason: "the recipient's address is not valid", err: err}
	}
	msg.Subject(m.Subject)
	msg.SetMessageIDWithValue(m.ID.String() + "@sello")
	msg.SetDateWithValue(m.Date)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // nobody's holiday notice answers it
	msg.SetBodyString(mail.TypeTextPlain, m.Body)
	if m.Attachment == nil {
		return msg, nil
	}
	var content bytes.Buffer
	if err := m.Attachment.Write(&content); err != nil {
		return nil, fmt.Errorf("make an attachment: %w", err)
	}
	err := msg.AttachReader(m.Attachment.Name, &content, mail.WithFileContentType("text/csv; charset=utf-8"))
	if err != nil {
		return nil, fmt.Errorf("attach to a mail: %w", err)
	}
	return msg, nil
}

// connectError words a failure before the first mail. Servers quote what they
// were told, so only the number of their answer is kept.
func connectError(err error) error {
	if answer, ok := errors.AsType[*textproto.Error](err); ok {
		return &SendError{Reason: fmt.Sprintf("the mail server refused the connection or the sign-in (%d)", answer.Code), err: err}
	}
	return &SendError{Reason: "the mail server could not be reached", err: err}
}

func deliveryError(err error) error {
	sendErr, ok := errors.AsType[*mail.SendError](err)
	if !ok {
		return &SendError{Reason: "the connection to the mail server broke", err: err}
	}
	code := sendErr.ErrorCode()
	switch {
	case code == 0:
		return &SendError{Reason: "the connection to the mail server broke", err: err}
	case sendErr.Reason == mail.ErrSMTPRcptTo && code >= 500:
		return &PermanentError{Reason: fmt.Sprintf("the mail server refuses the recipient (%d)", code), err: err}
	default:
		return &SendError{Reason: fmt.Sprintf("the mail server did not take the mail (%d)", code), err: err}
	}
}
