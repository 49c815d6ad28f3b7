package imports_test

import (
	"net"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"

	"sello/loyalty"
	"sello/loyalty/imports"
	"sello/loyalty/notify"
)

// TestMailServerDownThenUp tells a result whose mail server comes up late: one
// mail, with its accents and its attachment.
func TestMailServerDownThenUp(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	e.mailTo(t, addr)
	imp, _ := e.upload(t, imports.Upload{FileName: "campaña año.csv"}, header+"Íñigo,Núñez,íñigo@,,1\n")
	e.apply(t, imp.ID)
	list, err := e.notify.BySubjects(t.Context(), e.company, imports.ResultMail, ids(imp))
	if err != nil || len(list) != 1 {
		t.Fatalf("BySubjects: got %d, %v, want 1", len(list), err)
	}
	id := list[0].ID

	err = e.notify.Send(t.Context(), e.company, id)
	if err == nil || err.Error() != "the mail server could not be reached" {
		t.Fatalf("Send without a server: got %v", err)
	}
	e.same(t, "queued", `SELECT status FROM notification`)
	if err := e.notify.GiveUp(t.Context(), e.company, id, err); err != nil {
		t.Fatal(err)
	}
	e.same(t, "the mail server could not be reached", `SELECT error FROM notification WHERE status = 'failed'`)

	var box mailbox
	box.serve(t, addr)
	if err := e.notify.Send(t.Context(), e.company, id); err != nil || len(box.all()) != 0 {
		t.Errorf("Send of a failed message: got %v and %d mails, want neither", err, len(box.all()))
	}
	if _, err := e.notify.Retry(t.Context(), e.company, id); err != nil {
		t.Fatalf("Retry: %v", err)
	}
	if _, err := e.notify.Retry(t.Context(), e.company, id); loyalty.CodeOf(err) != loyalty.CodeStateConflict {
		t.Errorf("Retry of a queued message: got %v, want STATE_CONFLICT", err)
	}
	e.work(t)
	if err := e.notify.Send(t.Context(), e.company, id); err != nil {
		t.Errorf("Send again: %v", err)
	}
	mails := box.all()
	if len(mails) != 1 {
		t.Fatalf("mails: got %d, want 1", len(mails))
	}
	m := mails[0]
	if want := "Resultado de la asignación masiva de puntos: campaña año.csv"; m.subject != want {
		t.Errorf("subject: got %q, want %q", m.subject, want)
	}
	if want := "<" + id.String() + "@sello>"; m.messageID != want {
		t.Errorf("Message-ID: got %q, want %q", m.messageID, want)
	}
	if !strings.Contains(m.body, "- Línea 2: El email no es válido. (íñigo@)") {
		t.Errorf("body: got\n%s", m.body)
	}
	if got := m.attachments["errores.csv"]; got != e.errorFile(t, imp.ID) {
		t.Errorf("attachment: got\n%s\nwant\n%s", got, e.errorFile(t, imp.ID))
	}
	e.same(t, "sent", `SELECT status FROM notification WHERE sent_at IS NOT NULL AND error IS NULL`)
}

// TestMailRefused has the server rule the recipient out: no further attempt.
func TestMailRefused(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	box := mailbox{answer: &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user secret"}}
	e.mailTo(t, box.serve(t, "127.0.0.1:0"))
	imp, _ := e.upload(t, imports.Upload{}, header)
	e.work(t)
	e.same(t, "the mail server refuses the recipient (550)", `SELECT error FROM notification WHERE status = 'failed'`)
	e.same(t, "cancelled", `SELECT state FROM river_job WHERE kind = 'notify_email'`)
	if got := e.get(t, imp.ID).State(); got != imports.Finished {
		t.Errorf("import: got %s, want finished whatever becomes of its mail", got)
	}
}

// TestMailKept runs without a mail server.
func TestMailKept(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	imp, _ := e.upload(t, imports.Upload{}, list(100))
	e.work(t)
	list, err := e.notify.List(t.Context(), e.company, nil, new(notify.Kept), 10)
	if err != nil || len(list) != 1 || list[0].SubjectID != imp.ID || list[0].Attachment == nil || *list[0].Attachment != "errores.csv" {
		t.Errorf("List of kept messages: got %+v, %v, want the import's", list, err)
	}
}

// TestNobodyToWriteTo uploads with a key that has no address.
func TestNobodyToWriteTo(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.actor.Email = ""
	e.upload(t, imports.Upload{}, list(10))
	e.work(t)
	e.same(t, 0, `SELECT count(*) FROM notification`)
	e.same(t, "finished", `SELECT status FROM import`)
}
