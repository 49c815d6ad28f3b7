package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"sello/server"
)

// TestDrain: what is under way is answered, new connections are refused, and the
// process is not ready meanwhile.
func TestDrain(t *testing.T) {
	t.Parallel()
	begun, finish := make(chan struct{}), make(chan struct{})
	e := newEnv(t, func(c *server.Config) {
		c.Mounts = []server.Mount{{Path: "/slow", Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(begun)
			<-finish
			_, _ = io.WriteString(w, "done")
		})}}
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	base := "http://" + listener.Addr().String()
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- e.srv.Run(ctx, listener) }()

	answered := make(chan string, 1)
	go func() {
		response, err := http.Get(base + "/slow")
		if err != nil {
			answered <- err.Error()
			return
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		answered <- string(body)
	}()
	<-begun
	stop()
	waitFor(t, "the listener to close", func() bool {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	if got := send(t, plain, http.MethodGet, e.URL+"/readyz", ""); got.StatusCode != 503 {
		t.Errorf("readyz while draining: got %d, want 503", got.StatusCode)
	}
	select {
	case err := <-ran:
		t.Fatalf("Run ended before its requests: %v", err)
	default:
	}
	close(finish)
	if got := <-answered; got != "done" {
		t.Errorf("the request under way: got %q", got)
	}
	if err := <-ran; err != nil {
		t.Errorf("Run: %v", err)
	}
}

// TestDrainEnds: a request that never ends does not keep the process.
func TestDrainEnds(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	e := newEnv(t, func(c *server.Config) {
		c.DrainTime = 50 * time.Millisecond
		c.Mounts = []server.Mount{{Path: "/stuck", Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(begun)
			<-r.Context().Done()
		})}}
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- e.srv.Run(ctx, listener) }()
	go func() { _, _ = http.Get("http://" + listener.Addr().String() + "/stuck") }()
	<-begun
	stop()
	if err := <-ran; err == nil {
		t.Error("Run: got nil, want to be told that a request did not end")
	}
}

// TestHalfOpen: connections that never finish their headers are closed, by the
// time-outs that the listener really has (hardening.md 3.7).
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	h := server.HTTPServer(http.NotFoundHandler())
	if h.ReadHeaderTimeout != 5*time.Second || h.ReadTimeout != 15*time.Second || h.IdleTimeout != time.Minute ||
		h.MaxHeaderBytes != 32<<10 || h.WriteTimeout != 0 {
		t.Errorf("time-outs: %v %v %v %v, headers %d", h.ReadHeaderTimeout, h.ReadTimeout, h.IdleTimeout, h.WriteTimeout, h.MaxHeaderBytes)
	}
	h.ReadHeaderTimeout = 50 * time.Millisecond // the same server, in less time
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = h.Serve(listener) }()
	t.Cleanup(func() { _ = h.Close() })
	for range 50 {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.Copy(io.Discard, conn); err != nil {
				t.Errorf("a half-open connection is still held: %v", err)
			}
		})
	}
}

func TestLargeHeaders(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(e.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() {
		_, _ = fmt.Fprintf(conn, "GET /livez HTTP/1.1\r\nHost: x\r\nX-Large: %s\r\n\r\n", strings.Repeat("x", 64<<10))
	}()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("got %d, want 431", response.StatusCode)
	}
}

func TestLargeBodies(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	root := e.browser(t)
	e.signIn(t, root, "root%40acme.test")
	large := strings.Repeat(" ", 1<<20)
	for _, tt := range []struct{ path, media string }{
		{"/graphql", "application/json"}, {"/sign-in", form}, {"/jobs/api/jobs/retry", "application/json"},
	} {
		got := send(t, root, http.MethodPost, e.URL+tt.path, `{"ids":[`+large+`]}`, "Content-Type", tt.media, "Sec-Fetch-Site", "same-origin")
		if got.StatusCode < 400 {
			t.Errorf("%s: got %d, want a refusal: %.200s", tt.path, got.StatusCode, got.body)
		}
	}
}
