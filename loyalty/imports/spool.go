package imports

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"sello/loyalty/imports/pointsfile"
)

// TooLargeError tells that an upload passes the limit; nothing of it is kept.
// The edge answers HTTP 413 (spec/pretii.md 4.2).
type TooLargeError struct {
	// Limit is in bytes.
	Limit int64
}

// Error names the limit.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the file is larger than %d bytes", e.Limit)
}

// spooled is an upload on disk, read a second time from its beginning.
type spooled struct {
	*os.File
	facts pointsfile.Facts
}

// Close also removes the file where it could not be removed while open.
func (f *spooled) Close() error {
	err := f.File.Close()
	if rmErr := os.Remove(f.Name()); rmErr != nil && !errors.Is(rmErr, os.ErrNotExist) {
		err = errors.Join(err, rmErr)
	}
	return err
}

// spool writes an upload to a temporary file and finds out on the way what it
// is: its hash and its encoding are known at its end only (spec/pretii.md 4.2,
// 4.5). Memory does not grow with it.
func (s *Service) spool(ctx context.Context, body io.Reader) (*spooled, error) {
	limit := s.MaxBytes
	if limit == 0 {
		limit = pointsfile.MaxFileSize
	}
	file, err := os.CreateTemp(s.SpoolDir, "sello-import-*.csv")
	if err != nil {
		return nil, fmt.Errorf("spool an upload: %w", err)
	}
	f := &spooled{File: file}
	// A file without a name leaves nothing behind if the process dies. Systems
	// that refuse this have it removed by Close.
	_ = os.Remove(file.Name())
	sniffer := pointsfile.NewSniffer()
	n, err := io.Copy(io.MultiWriter(file, sniffer), io.LimitReader(untilDone{ctx, body}, limit+1))
	switch {
	case err != nil:
		err = fmt.Errorf("spool an upload: %w", err)
	case n > limit:
		err = &TooLargeError{Limit: limit}
	default:
		if _, err = file.Seek(0, io.SeekStart); err != nil {
			err = fmt.Errorf("spool an upload: %w", err)
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	f.facts = sniffer.Facts()
	return f, nil
}

// untilDone stops a long copy when its request is over.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// settingText reads a setting that is a JSON string.
func settingText(value []byte) (string, error) {
	var text string
	if err := json.Unmarshal(value, &text); err != nil {
		return "", fmt.Errorf("read a setting: %w", err)
	}
	return text, nil
}
