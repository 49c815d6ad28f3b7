package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"

	"sello/bench"
)

// scriptCommands are what the scripts in testdata need besides testscript's own.
var scriptCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"exits": scriptExits, "ready": scriptReady, "listen": scriptListen, "database": scriptDatabase, "gone": scriptGone, "customers": scriptCustomers,
}

// exits CODE PROGRAM ARG…: runs a program, which has to end with this code.
func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG…")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("%s ended with code %d, want %s", strings.Join(args[1:], " "), got, args[0])
	}
}

// ready FILE: waits until dev has written its variables and answers; they become
// variables of the script.
func scriptReady(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ready FILE")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var vars map[string]string
	ts.Check(bench.Await(ctx, func() (bool, error) {
		if vars = readEnv(ts.MkAbs(args[0])); vars["BASE_URL"] == "" {
			return false, nil
		}
		resp, err := http.Get(vars["BASE_URL"] + "/readyz")
		if err != nil {
			return false, nil //nolint:nilerr // not yet
		}
		return resp.StatusCode == http.StatusOK, resp.Body.Close()
	}))
	ts.Check(hasAll(vars, "GRAPHQL_URL", "DATABASE_URL", "COMPANY", "OPERATOR_EMAIL", "OPERATOR_PASSWORD", "SERVER_APIKEY",
		"WALLET_APIKEY", "WALLET_KEY", "WALLET_USERTOOL_ID", "ANTCRM_APIKEY", "ANTCRM_CODES", "ANTCRM_PRODUCT_SCORE", "ANTCRM_GIFT_CODE", "PRETII_TOKEN", "PRETII_HOST", "SECOND_COMPANY_APIKEY"))
	for name, value := range vars {
		if name == "DATABASE_URL" {
			name = "DEV_DATABASE_URL" // the next dev would take it for a setting
		}
		ts.Setenv(name, value)
	}
}

func readEnv(path string) map[string]string {
	text, err := os.ReadFile(path)
	if err != nil || !bytes.HasSuffix(text, []byte("\n")) {
		return nil
	}
	vars := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		vars[name] = value
	}
	return vars
}

// listen NAME: takes a port until the script ends, and puts its number into a
// variable.
func scriptListen(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: listen NAME")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = listener.Close() })
	ts.Setenv(args[0], strconv.Itoa(listener.Addr().(*net.TCPAddr).Port))
}

// database DATA NAME: puts the process id of a data folder's PostgreSQL, which has
// to run, into a variable.
func scriptDatabase(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: database DATA NAME")
	}
	pid, _, _ := strings.Cut(ts.ReadFile(args[0]+"/cluster/pgdata/postmaster.pid"), "\n")
	if !lives(ts, pid) {
		ts.Fatalf("PostgreSQL, process %s, does not run", pid)
	}
	ts.Setenv(args[1], pid)
}

// gone PID: there is no such process any more.
func scriptGone(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: gone PID")
	}
	if lives(ts, args[0]) != neg {
		ts.Fatalf("process %s lives: %t", args[0], !neg)
	}
}

func lives(ts *testscript.TestScript, text string) bool {
	pid, err := strconv.Atoi(text)
	ts.Check(err)
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	// Where nobody reaps orphans a dead one stays in the list.
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := bytes.Cut(stat, []byte(") "))
	return err != nil || !bytes.HasPrefix(state, []byte("Z"))
}

// customers [add]: asks the server that ready has found how many customers there
// are, after adding one, and prints the number.
func scriptCustomers(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 1 {
		ts.Fatalf("usage: customers [add]")
	}
	if len(args) == 1 {
		var added struct {
			CustomerCreate struct{ UserErrors []any }
		}
		ask(ts, `mutation { customerCreate(input: {firstName: "Nueva"}) { userErrors { code } } }`, &added)
		if len(added.CustomerCreate.UserErrors) > 0 {
			ts.Fatalf("refused: %v", added.CustomerCreate.UserErrors)
		}
	}
	var got struct {
		Customers struct{ TotalCount int }
	}
	ask(ts, `{ customers { totalCount } }`, &got)
	_, err := fmt.Fprintln(ts.Stdout(), got.Customers.TotalCount)
	ts.Check(err)
}

func ask(ts *testscript.TestScript, document string, data any) {
	body, err := json.Marshal(map[string]string{"query": document})
	ts.Check(err)
	r, err := http.NewRequest(http.MethodPost, ts.Getenv("GRAPHQL_URL"), bytes.NewReader(body))
	ts.Check(err)
	r.Header.Set("Authorization", "Bearer "+ts.Getenv("SERVER_APIKEY"))
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	ts.Check(err)
	defer resp.Body.Close()
	var answer struct {
		Data   json.RawMessage
		Errors []any
	}
	ts.Check(json.NewDecoder(resp.Body).Decode(&answer))
	if len(answer.Errors) > 0 {
		ts.Fatalf("graphql: %v", answer.Errors)
	}
	ts.Check(json.Unmarshal(answer.Data, data))
}
