package antcrm

import (
	"bytes"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// FuzzRead: whatever is posted is read or answered in the dialect's words, and what is
// read are trimmed texts, or the mark of what is no phone and no e-mail.
func FuzzRead(f *testing.F) {
	requests, err := filepath.Glob("testdata/fixtures/*/request.json")
	if err != nil || len(requests) == 0 {
		f.Fatalf("fixtures: %d, %v", len(requests), err)
	}
	for _, path := range requests {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest("POST", AccumulatePath, bytes.NewReader(body))
		code, data, err := read(httptest.NewRecorder(), r, accumulateCodeRequired)
		if err != nil {
			a, is := errors.AsType[answer](err)
			if !is || !slices.Contains([]answer{invalidJSON, accumulateCodeRequired, dataRequired, requestTooLarge}, a) {
				t.Errorf("got %v, which is no answer to a body", err)
			}
			return
		}
		if code == "" || code != strings.TrimSpace(code) {
			t.Errorf("got the code %q", code)
		}
		for _, raw := range data {
			if v := value(raw); v != strings.TrimSpace(v) {
				t.Errorf("got the value %q", v)
			}
			for _, p := range points(raw) {
				if p.Value != strings.TrimSpace(p.Value) {
					t.Errorf("got the phone %q", p.Value)
				}
			}
		}
	})
}
