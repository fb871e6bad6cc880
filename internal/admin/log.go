package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// headBytes is how much of a body an entry's details hold, decoded.
const headBytes = 64 << 10

// LogPath names one entry.
type LogPath struct {
	GatewayPath
	ID string `path:"id" doc:"id of the entry, in upper or lower case"`
}

// GetLogInput are the parameters of one entry.
type GetLogInput struct {
	LogPath
	Basis string `query:"basis" default:"attempts" enum:"attempts,requests" doc:"ours: what an id without an attempt's number shows: the attempt that answered, as in the reference, or the request"`
}

// find gets the row that p names and the item in it that has p's id. An entry of another gateway is
// not found, just like one that does not exist.
func (s *server) find(ctx context.Context, p *LogPath, b basis) (reqlog.Row, *item, error) {
	missing := notFound("log entry not found")
	a, g, err := p.gateway(s.Settings())
	if err != nil {
		return reqlog.Row{}, nil, err
	}
	id, err := sluice.ParseID(p.ID)
	if err != nil {
		return reqlog.Row{}, nil, missing // ids of elsewhere are no fault of the request
	}
	row, err := s.Log.Get(ctx, a.ID, id.WithAttempt(0))
	if sluice.KindOf(err) == sluice.KindNotFound {
		return reqlog.Row{}, nil, missing
	}
	if err != nil {
		return reqlog.Row{}, nil, fmt.Errorf("get log entry %s: %w", id, err)
	}
	if row.Entry.Gateway != g.ID {
		return reqlog.Row{}, nil, missing
	}
	if id.Attempt() != 0 {
		b = basisAttempts
	}
	items := itemsOf(&row.Entry, b)
	for i := range items {
		if items[i].entry.ID == id {
			return row, &items[i], nil
		}
	}
	return reqlog.Row{}, nil, missing
}

func (s *server) getLog(ctx context.Context, in *GetLogInput) (*output[Envelope[Row]], error) {
	row, it, err := s.find(ctx, &in.LogPath, basis(in.Basis))
	if err != nil {
		return nil, err
	}
	v := viewEntry(&it.entry, basis(in.Basis))
	if v.RequestHead, v.RequestHeadComplete, err = s.head(ctx, row, reqlog.RequestSide, &it.entry.Request); err != nil {
		return nil, err
	}
	v.Preview, _ = s.preview(ctx, row)
	if hasResponse(it) {
		if v.ResponseHead, v.ResponseHeadComplete, err = s.head(ctx, row, reqlog.ResponseSide, &it.entry.Response); err != nil {
			return nil, err
		}
	}
	return answer(Row{v, &s.fields, s.fields.entry}), nil
}

// hasResponse reports whether the stored response is it's: an attempt that did not answer has none.
func hasResponse(it *item) bool { return it.entry.ID.Attempt() == 0 }

// head reads the beginning of a stored body, decoded. A body that is not text has no head.
func (s *server) head(ctx context.Context, row reqlog.Row, side reqlog.Side, body *sluice.Body) (*string, bool, error) {
	if row.Entry.Ending == sluice.EndingInFlight {
		return nil, false, nil
	}
	if storedBytes(row.Parts[side]) == 0 {
		if body.Size == 0 {
			return new(string), true, nil
		}
		return nil, false, nil
	}
	stored, err := s.Log.Body(ctx, row, side)
	if sluice.KindOf(err) == sluice.KindNotFound {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("open a body of log entry %s: %w", row.Entry.ID, err)
	}
	defer stored.Close()
	plain, ok := decoder(stored, body.Encoding)
	if !ok {
		return nil, false, nil
	}
	defer plain.Close()
	b, err := io.ReadAll(io.LimitReader(plain, headBytes+1))
	if errors.Is(err, errStored) {
		return nil, false, fmt.Errorf("read a body of log entry %s: %w", row.Entry.ID, err)
	}
	// Any other error is the body's own: it was cut, or is not what its encoding says.
	complete := err == nil && len(b) <= headBytes && !body.Truncated
	b = b[:min(len(b), headBytes)]
	if !complete {
		b = wholeRunes(b)
	}
	if !utf8.Valid(b) {
		return nil, false, nil
	}
	text := string(b)
	return &text, complete, nil
}

// wholeRunes drops the first bytes of a rune that b's end cut.
func wholeRunes(b []byte) []byte {
	for i := len(b) - 1; i >= 0 && i > len(b)-utf8.UTFMax; i-- {
		if utf8.RuneStart(b[i]) {
			if !utf8.FullRune(b[i:]) {
				return b[:i]
			}
			break
		}
	}
	return b
}
