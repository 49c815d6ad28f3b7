package request

import (
	"context"
	"log/slog"

	"github.com/google/uuid"
)

// LogHandler adds the request's id and company to every line that is logged with
// the context of a request:
//
//	slog.SetDefault(slog.New(request.LogHandler(slog.NewJSONHandler(os.Stderr, nil))))
//
// A handler that does so already is answered as it is.
func LogHandler(next slog.Handler) slog.Handler {
	if done, ok := next.(logHandler); ok {
		return done
	}
	return logHandler{next}
}

type logHandler struct{ slog.Handler }

func (h logHandler) Handle(ctx context.Context, record slog.Record) error {
	if info := From(ctx); info.ID != "" {
		record = record.Clone()
		record.AddAttrs(slog.String("request_id", info.ID))
		if company := info.Company(); company != uuid.Nil {
			record.AddAttrs(slog.String("company_id", company.String()))
		}
	}
	return h.Handler.Handle(ctx, record)
}

func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.Handler.WithAttrs(attrs)}
}

func (h logHandler) WithGroup(name string) slog.Handler { return logHandler{h.Handler.WithGroup(name)} }
