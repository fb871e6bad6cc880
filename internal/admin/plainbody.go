package admin

import (
	"context"
	"errors"
	"fmt"
	"io"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// plainBody opens a stored body, decoded. Its error has sluice.KindNotFound and says why where there is none to
// be read. Of a body that the log or the way cut, the reader ends where it was cut.
func (s *server) plainBody(ctx context.Context, row reqlog.Row, side reqlog.Side) (io.ReadCloser, error) {
	body, name := &row.Entry.Request, "request"
	if side == reqlog.ResponseSide {
		body, name = &row.Entry.Response, "response"
	}
	switch {
	case row.Entry.Ending == sluice.EndingInFlight:
		return nil, notFound("the request is still running; its bodies can be read when it has ended")
	case storedBytes(row.Parts[side]) == 0:
		return nil, notFound("the " + name + " body is not stored: " + whyNot(body))
	}
	stored, err := s.Log.Body(ctx, row, side)
	if sluice.KindOf(err) == sluice.KindNotFound {
		return nil, notFound("the " + name + " body is no longer stored")
	}
	if err != nil {
		return nil, fmt.Errorf("open the %s body of log entry %s: %w", name, row.Entry.ID, err)
	}
	plain, known := decoder(stored, body.Encoding)
	if !known {
		stored.Close()
		return nil, notFound("the " + name + " body has a content encoding that is not known here: " + clip(body.Encoding, 60))
	}
	return &plainReader{plain, stored}, nil
}

type plainReader struct {
	io.ReadCloser
	stored io.Closer
}

// Read ends where what is stored cannot be decoded any further: only what the log itself cannot read is an error.
func (r *plainReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil && err != io.EOF && !errors.Is(err, errStored) {
		err = io.EOF
	}
	return n, err
}

func (r *plainReader) Close() error {
	return errors.Join(r.ReadCloser.Close(), r.stored.Close())
}

// readPlain reads a stored body, decoded, up to limit bytes; cut says that it is longer, or was cut before.
func (s *server) readPlain(ctx context.Context, row reqlog.Row, side reqlog.Side, limit int) (b []byte, cut bool, err error) {
	r, err := s.plainBody(ctx, row, side)
	if err != nil {
		return nil, false, err
	}
	defer r.Close()
	if b, err = io.ReadAll(io.LimitReader(r, int64(limit)+1)); err != nil {
		return nil, false, fmt.Errorf("read a body of log entry %s: %w", row.Entry.ID, err)
	}
	cut = row.Entry.Request.Truncated
	if side == reqlog.ResponseSide {
		cut = row.Entry.Response.Truncated
	}
	return b[:min(len(b), limit)], cut || len(b) > limit, nil
}
