package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Run answers on the listener until ctx is done, and then drains: not ready,
// streams told to go (1001), requests under way answered, within DrainTime after
// DrainDelay. It closes the listener. It answers an error when it could not listen on, or when
// not all of it ended in time.
func (s *Server) Run(ctx context.Context, listener net.Listener) error {
	console, stopConsole := context.WithCancel(context.WithoutCancel(ctx))
	defer stopConsole()
	if err := s.console.Start(console); err != nil {
		_ = listener.Close()
		return fmt.Errorf("start the job console: %w", err)
	}
	return serve(ctx, listener, s, s.cfg.DrainDelay+s.cfg.DrainTime, func(deadline context.Context) error {
		s.cfg.Health.Drain()
		if s.cfg.DrainDelay > 0 {
			select {
			case <-time.After(s.cfg.DrainDelay):
			case <-deadline.Done():
			}
		}
		return s.graphql.Shutdown(deadline)
	})
}

// Serve answers on a listener until ctx is done, and then ends what is under way,
// within a few seconds. For the listener of probes and figures.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	return serve(ctx, listener, handler, 5*time.Second, func(context.Context) error { return nil })
}

// HTTPServer is a server with the time-outs of every listener of ours
// (hardening.md 3.7). There is no WriteTimeout, which would cut off streams;
// handlers set deadlines of their own.
func HTTPServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug),
	}
}

func serve(ctx context.Context, listener net.Listener, handler http.Handler, drainTime time.Duration, drain func(context.Context) error) error {
	server := HTTPServer(handler)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve http: %w", err)
	case <-ctx.Done():
	}
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	err := drain(deadline)
	if shutdown := server.Shutdown(deadline); shutdown != nil {
		err = errors.Join(err, fmt.Errorf("end requests under way: %w", shutdown), server.Close())
	}
	if stopped := <-served; !errors.Is(stopped, http.ErrServerClosed) {
		err = errors.Join(err, stopped)
	}
	return err
}
