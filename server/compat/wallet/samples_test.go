package wallet_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
)

// methods of the samples, in the order in which they can run one after the other, and
// the code that each is answered with.
var sampleMethods = []struct{ folder, want string }{
	{"toolusers-get", "tool_users_01"},
	{"wallet-get", "wallets_get_01"},
	{"wallet-contact-add", "contact_add_01"},
	{"wallet-contact-get", "balance_get_01"},
	{"wallet-sale", "new_sale_01"},
	{"wallet-balance-update", "balance_update_01"},
	{"employee-add", "toolusers_01"},
	{"employee-disable", "toolusers_01"},
}

// sampleLanguage is how the samples of a language are run.
type sampleLanguage struct {
	ext string
	// has answers whether its interpreter and libraries are there.
	has []string
	// wrap makes a program of a sample: they are printed without what stands around.
	wrap func(sample string) string
	// run is the command line; {file} is the program, {dir} its folder.
	run []string
	// printed takes the answer out of what the sample prints.
	printed func(out []byte) []byte
}

func same(text string) string { return text }
func plain(out []byte) []byte { return out }

var sampleLanguages = []sampleLanguage{
	{ext: "sh", has: []string{"curl", "--version"}, wrap: func(s string) string { return "exec " + strings.Replace(s, "curl -X", "curl -sS -X", 1) }, run: []string{"sh", "{file}"}, printed: plain},
	{
		ext: "php", has: []string{"php", "-r", "exit(function_exists('curl_init') ? 0 : 1);"},
		wrap: func(s string) string { return "<?php\n" + s }, run: []string{"php", "{file}"},
		printed: func(out []byte) []byte { // it prints the answer as a JSON text
			var text string
			if json.Unmarshal(out, &text) != nil {
				return out
			}
			return []byte(text)
		},
	},
	{ext: "rb", has: []string{"ruby", "-e", "require 'net/http'"}, wrap: same, run: []string{"ruby", "{file}"}, printed: plain},
	{ext: "js", has: []string{"node", "-e", "require('request')"}, wrap: same, run: []string{"node", "{file}"}, printed: plain},
	{ext: "py", has: []string{"python3", "-c", "import requests"}, wrap: same, run: []string{"python3", "{file}"}, printed: plain},
	{
		ext: "cs", has: []string{"mcs", "--version"},
		wrap: func(s string) string {
			return "using System;\nusing System.IO;\nusing System.Net;\nusing System.Text;\nclass Sample { static void Main() {\n" + s + "\n} }\n"
		},
		run:     []string{"sh", "-c", "mcs -out:{dir}/sample.exe {file} && mono {dir}/sample.exe"},
		printed: func(out []byte) []byte { return out[bytes.IndexByte(out, '{'):] }, // the parameters come first
	},
}

// samplePlace is an installation that samples are run against: a till's key, a wallet
// of 10 %, one of its cashiers.
type samplePlace struct {
	*env
	company                      uuid.UUID
	url, apikey, wallet, cashier string
}

// placeOfSamples is the fixtures' account, or what `sello dev --env-file` has written
// into the file that SELLO_SAMPLES_AT names.
func placeOfSamples(t *testing.T) func(t *testing.T) samplePlace {
	t.Helper()
	path := os.Getenv("SELLO_SAMPLES_AT")
	if path == "" {
		b := readBaseline(t)
		return func(t *testing.T) samplePlace {
			t.Helper()
			a := load(t, b)
			return samplePlace{env: a.env, company: a.id, url: a.server.URL, apikey: a.apikey, wallet: "mk_esquina_7f3b2a9d", cashier: "8101"}
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	value := func(name string) string {
		_, rest, _ := strings.Cut("\n"+string(text), "\n"+name+"=")
		value, _, _ := strings.Cut(rest, "\n")
		if value == "" {
			t.Fatalf("%s says no %s", path, name)
		}
		return value
	}
	pool, err := pgxpool.New(t.Context(), value("DATABASE_URL"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	p := samplePlace{
		env: &env{pool: pool}, url: value("BASE_URL"), apikey: value("WALLET_APIKEY"), wallet: value("WALLET_KEY"), cashier: value("WALLET_USERTOOL_ID"),
	}
	p.company = scan[uuid.UUID](t, p.env, `SELECT id FROM company WHERE code = $1`, value("COMPANY"))
	return func(*testing.T) samplePlace { return p }
}

// TestSamples runs the clients' own code, unchanged, in every language whose
// interpreter and libraries are on the machine. Where SELLO_SAMPLES is "all", as in
// CI, every language has to be.
func TestSamples(t *testing.T) {
	t.Parallel()
	place := placeOfSamples(t)
	ran := 0
	for i, l := range sampleLanguages {
		if err := exec.CommandContext(t.Context(), l.has[0], l.has[1:]...).Run(); err != nil {
			if os.Getenv("SELLO_SAMPLES") == "all" {
				t.Errorf("samples in %s: %s: %v", l.ext, l.has[0], err)
			}
			continue
		}
		ran++
		t.Run(l.ext, func(t *testing.T) {
			t.Parallel()
			p := place(t)
			person, employee := p.stranger(t, i), newSampleEmployee(l.ext)
			for _, m := range sampleMethods {
				got := l.execute(t, p, m.folder, person, employee)
				var answer struct{ Code string }
				if err := json.Unmarshal(l.printed(got), &answer); err != nil || answer.Code != m.want {
					t.Errorf("%s in %s: got %s, want %s", m.folder, l.ext, got, m.want)
				}
			}
			if name := scan[string](t, p.env, `SELECT holder_name FROM card WHERE company_id = $1 AND holder_phone = $2`, p.company, person); !l.registered(name) {
				t.Errorf("the contact's name: got %q", name)
			}
			if points := scan[string](t, p.env, `SELECT trim_scale(balance)::text FROM card WHERE company_id = $1 AND holder_phone = $2`, p.company, person); points != "1100" {
				t.Errorf("the contact's points: got %s, want 1100", points)
			}
		})
	}
	if ran == 0 {
		t.Error("no sample could be run, not even curl's")
	}
}

// registered: C# sends no letters beyond ASCII.
func (l sampleLanguage) registered(name string) bool {
	return name == "Núria Peña" || l.ext == "cs" && name == "N?ria Pe?a"
}

// stranger is a phone that nobody has in the wallet: neither people of the demo, nor the
// samples of other languages, nor earlier runs.
func (p samplePlace) stranger(t *testing.T, language int) string {
	t.Helper()
	for {
		phone := fmt.Sprintf("4778%d%05d", language, rand.IntN(100_000))
		if !scan[bool](t, p.env, `SELECT EXISTS (SELECT FROM card WHERE company_id = $1 AND holder_phone = $2)`, p.company, phone) {
			return phone
		}
	}
}

// sampleEmployee is a cashier whom the samples of one language add and disable.
type sampleEmployee struct{ number, name, password string }

// newSampleEmployee shares nothing with those of other languages and of earlier runs:
// the languages run beside each other on one account, where an active collaborator's
// number, name and password are its own (spec/wallet.md 3.9).
func newSampleEmployee(language string) sampleEmployee {
	n := rand.IntN(1_000_000)
	return sampleEmployee{
		number:   fmt.Sprintf("4773%06d", n),
		name:     fmt.Sprintf("Fernanda Gil %s %d", language, n),
		password: fmt.Sprintf("fer-%s-%06d", language, n),
	}
}

// execute runs one sample with the page's variables put in.
func (l sampleLanguage) execute(t *testing.T, p samplePlace, folder, person string, employee sampleEmployee) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "samples", folder, "sample."+l.ext))
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{
		"your_apikey": p.apikey, "your_wallet_key": p.wallet, "client_phone_number": person, "client_name": "Núria Peña",
		"cashier_id": p.cashier, "employee_number": employee.number, "employee_name": employee.name, "employee_business": "Sucursal Sur",
		"business_name": "Sucursal Sur", "employee_password": employee.password, "cajero": "cajero",
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "sample."+l.ext)
	program := l.wrap(putIn(string(text), p.url, values))
	if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	command := make([]string, len(l.run))
	for i, word := range l.run {
		command[i] = strings.NewReplacer("{file}", file, "{dir}", dir).Replace(word)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	run := exec.CommandContext(ctx, command[0], command[1:]...)
	var stderr bytes.Buffer
	run.Stderr = &stderr
	out, err := run.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s\n%s", strings.Join(command, " "), err, stderr.Bytes(), program)
	}
	return out
}

var (
	quoted   = regexp.MustCompile(`"[^"\n]*"|'[^'\n]*'`)
	variable = regexp.MustCompile(`\b[a-z]+(?:_[a-z]+)*\b`)
	given    = regexp.MustCompile(`(=|apikey: )([a-z_]+)\b`)
)

// putIn puts values in the place of the page's variables: as they are where they stand
// in a text behind = or "apikey: ", else as a text of their own; and the host before
// the path.
func putIn(sample, host string, values map[string]string) string {
	var b strings.Builder
	bare := func(code string) string {
		return variable.ReplaceAllStringFunc(code, func(name string) string {
			if value, ok := values[name]; ok {
				return `"` + value + `"`
			}
			return name
		})
	}
	from := 0
	for _, at := range quoted.FindAllStringIndex(sample, -1) {
		b.WriteString(bare(sample[from:at[0]]))
		text := sample[at[0]:at[1]]
		if strings.HasPrefix(text[1:], "/") {
			text = text[:1] + host + text[1:]
		}
		b.WriteString(given.ReplaceAllStringFunc(text, func(pair string) string {
			for name, value := range values {
				if before, ok := strings.CutSuffix(pair, name); ok && (before == "=" || before == "apikey: ") {
					return before + value
				}
			}
			return pair
		}))
		from = at[1]
	}
	b.WriteString(bare(sample[from:]))
	return b.String()
}
