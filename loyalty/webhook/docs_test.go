package webhook_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sello/loyalty/webhook"
)

// example is a piece of docs/webhooks.md, by the name above it.
func example(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)<!-- " + regexp.QuoteMeta(name) + " -->\n```[a-z]+\n(.*?)```").FindSubmatch(text)
	if m == nil {
		t.Fatalf("docs/webhooks.md has no %s", name)
	}
	return string(m[1])
}

// TestDocumentedKinds: every kind that can be wanted by name has its row.
func TestDocumentedKinds(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range append(webhook.Kinds(), webhook.TestKind) {
		if !strings.Contains(string(text), "\n| `"+kind+"` |") {
			t.Errorf("docs/webhooks.md does not say what %s tells", kind)
		}
	}
}

// TestDocumentedVerification runs the documentation's examples on a delivery that
// was really received: as it came, and changed in each part.
func TestDocumentedVerification(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	r := newReceiver(t, nil)
	w, secret := e.hook(t, r.URL)
	e.card(t, "7001")
	e.post(t, "7001", 1)
	if _, _, err := e.RotateSecret(t.Context(), e.who, w.ID, 1); err != nil { // so that there are two signatures
		t.Fatal(err)
	}
	e.work(t, w)
	got := r.got()[0]
	body := string(got.body)
	type try struct {
		secret, body string
		header       http.Header
		offset       time.Duration
		want         bool
	}
	other := got.header.Clone()
	other.Set("Webhook-Id", "evt_other")
	tries := []try{
		{secret, body, got.header, 0, true},
		{secret, body, got.header, 4 * time.Minute, true},
		{secret, body, got.header, 6 * time.Minute, false},
		{secret, body, got.header, -6 * time.Minute, false},
		{secret, body + " ", got.header, 0, false},
		{"whsec_AAAA", body, got.header, 0, false},
		{secret, body, other, 0, false},
	}
	var want string
	for _, try := range tries {
		want += fmt.Sprintln(try.want)
	}

	t.Run("Go", func(t *testing.T) {
		t.Parallel()
		var calls strings.Builder
		for _, try := range tries {
			fmt.Fprintf(&calls, "\tfmt.Println(verify(%q, %#v, []byte(%q), time.Unix(%d, 0)))\n",
				try.secret, try.header, try.body, noon.Add(try.offset).Unix())
		}
		program := "package main\n\nimport (\n\t\"crypto/hmac\"\n\t\"crypto/sha256\"\n\t\"encoding/base64\"\n\t\"fmt\"\n\t\"net/http\"\n\t\"strconv\"\n\t\"strings\"\n\t\"time\"\n)\n\n" +
			example(t, "verify.go") + "\nfunc main() {\n" + calls.String() + "}\n"
		file := filepath.Join(t.TempDir(), "main.go")
		if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "go", "run", file).CombinedOutput()
		if err != nil || string(out) != want {
			t.Errorf("the Go example: got %s, error %v, want %s", out, err, want)
		}
	})

	node, err := exec.LookPath("node")
	if err != nil {
		return // who has no Node.js reads the example only
	}
	t.Run("Node", func(t *testing.T) {
		t.Parallel()
		var calls strings.Builder
		for _, try := range tries {
			headers := map[string]string{}
			for name := range try.header {
				headers[strings.ToLower(name)] = try.header.Get(name)
			}
			args, err := json.Marshal([]any{try.secret, headers, try.body, noon.Add(try.offset).UnixMilli()})
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&calls, "console.log(verify(...%s))\n", args)
		}
		file := filepath.Join(t.TempDir(), "verify.mjs")
		if err := os.WriteFile(file, []byte(example(t, "verify.mjs")+calls.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), node, file).CombinedOutput()
		if err != nil || string(out) != want {
			t.Errorf("the Node example: got %s, error %v, want %s", out, err, want)
		}
	})
}
