package main

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/caarlos0/env/v11"
)

// TestEnvExample holds .env.example against the variables that are read.
func TestEnvExample(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(".env.example")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, m := range regexp.MustCompile(`(?m)^([A-Z_]+)=`).FindAllSubmatch(text, -1) {
		listed = append(listed, string(m[1]))
	}
	fields, err := env.GetFieldParams(&Config{})
	if err != nil {
		t.Fatal(err)
	}
	var read []string
	for _, f := range fields {
		read = append(read, f.Key)
		if !slices.Contains(listed, f.Key) {
			t.Errorf(".env.example lacks %s", f.Key)
		}
	}
	for _, name := range listed {
		if !slices.Contains(read, name) {
			t.Errorf(".env.example lists %s, which nothing reads", name)
		}
	}
}

// TestCheckReportsAllAtOnce: one start tells every mistake.
func TestCheckReportsAllAtOnce(t *testing.T) {
	t.Parallel()
	c := Config{DatabaseURL: "postgres://x", JWTKeys: "nonsense", Secret: "short", BaseURL: "loyalty.example.com", DatabasePool: 1}
	c.SMTP.Host = "mail.example.com"
	err := c.check()
	if err == nil {
		t.Fatal("check: got nil, want all mistakes")
	}
	for _, want := range []string{"JWT_KEYS", "SECRET", "BASE_URL", "JOB_RESCUE_AFTER", "SMTP_FROM", "DATABASE_POOL"} {
		if !regexp.MustCompile(want).MatchString(err.Error()) {
			t.Errorf("check does not mention %s: %v", want, err)
		}
	}
}
