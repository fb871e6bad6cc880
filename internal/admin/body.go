package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// BodyInput are the parameters of a stored body.
type BodyInput struct {
	LogPath
	Encoding string `query:"encoding" enum:"stored,identity" default:"stored" doc:"ours: the bytes as stored, with their Content-Encoding, or decoded"`
	Range    string `header:"Range" doc:"one range of bytes of what is stored"`
	IfRange  string `header:"If-Range"`
}

func (s *server) getRequestBody(ctx context.Context, in *BodyInput) (*huma.StreamResponse, error) {
	return s.getBody(ctx, in, reqlog.RequestSide)
}

func (s *server) getResponseBody(ctx context.Context, in *BodyInput) (*huma.StreamResponse, error) {
	return s.getBody(ctx, in, reqlog.ResponseSide)
}

func (s *server) getBody(ctx context.Context, in *BodyInput, side reqlog.Side) (*huma.StreamResponse, error) {
	row, it, err := s.find(ctx, &in.LogPath, basisAttempts)
	if err != nil {
		return nil, err
	}
	b := storedBody{info: &it.entry.Request, side: "request", id: it.entry.ID, size: storedBytes(row.Parts[side])}
	if side == reqlog.ResponseSide {
		b.info, b.side = &it.entry.Response, "response"
	}
	switch {
	case row.Entry.Ending == sluice.EndingInFlight:
		return nil, notFound("the request is still running; its bodies can be read when it has ended")
	case side == reqlog.ResponseSide && !hasResponse(it):
		return nil, notFound("only the response of the attempt that answered is stored")
	case b.size == 0 && b.info.Size == 0:
		b.bytes = io.NopCloser(strings.NewReader(""))
	case b.size == 0:
		return nil, notFound("the " + b.side + " body is not stored: " + whyNot(b.info))
	default:
		if b.bytes, err = s.Log.Body(ctx, row, side); sluice.KindOf(err) == sluice.KindNotFound {
			return nil, notFound("the " + b.side + " body is no longer stored")
		}
		if err != nil {
			return nil, fmt.Errorf("open the %s body of log entry %s: %w", b.side, it.entry.ID, err)
		}
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer b.bytes.Close()
		_, w := humachi.Unwrap(hc)
		if err := b.serve(w, in); err != nil && ctx.Err() == nil {
			s.Logger.ErrorContext(ctx, "stored body broke off", "id", b.id.String(), "side", b.side, "error", err)
			// The head is sent: only a broken connection tells the client that this is not the whole.
			panic(http.ErrAbortHandler)
		}
	}}, nil
}

func whyNot(b *sluice.Body) string {
	switch {
	case b.Off:
		return "a setting or a header said so"
	case b.Dropped:
		return "there was no room for it"
	}
	return "the log has no bytes of it"
}

// storedBytes is how many bytes of a body can be read back.
func storedBytes(parts []reqlog.Part) int64 {
	var n int64
	for _, p := range parts {
		n += int64(p.Length)
	}
	return n
}

// storedBody is a body on its way out.
type storedBody struct {
	id    sluice.ID
	side  string
	info  *sluice.Body
	size  int64 // stored bytes
	bytes io.ReadCloser
}

// serve writes the body. Its content is whatever a caller or a provider sent, hence hostile: no browser
// may render it or guess at its type. The error is of reading what is stored; writing fails when the
// client leaves, which is no error.
func (b *storedBody) serve(w http.ResponseWriter, in *BodyInput) error {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox; frame-ancestors 'none'")
	h.Set("Content-Disposition", `attachment; filename="`+b.id.String()+"-"+b.side+`"`)
	h.Set("Content-Type", mediaType(b.info.Type))
	if b.info.Truncated {
		h.Set("X-Sluice-Truncated", "true")
	}
	if b.info.Encoding != "" {
		// A cut body cannot be decoded to its end, which makes clients fail: so much of it as can be is
		// decoded for them.
		plain, known := decoder(b.bytes, b.info.Encoding)
		if known && (in.Encoding == "identity" || b.info.Truncated) {
			defer plain.Close()
			return ignoreCut(copyBody(w, plain), b.info.Truncated)
		}
		if known {
			plain.Close()
			h.Set("Content-Encoding", strings.ToLower(strings.TrimSpace(b.info.Encoding)))
		} else {
			h.Set("Content-Type", "application/octet-stream")
			h.Set("X-Sluice-Content-Encoding", clip(strings.ToValidUTF8(b.info.Encoding, "?"), 100))
		}
	}
	return b.serveRange(w, in)
}

// serveRange writes the stored bytes, or the range of them that was asked for.
func (b *storedBody) serveRange(w http.ResponseWriter, in *BodyInput) error {
	h := w.Header()
	h.Set("Accept-Ranges", "bytes")
	start, length, status := int64(0), b.size, http.StatusOK
	if in.Range != "" && in.IfRange == "" { // there is no validator that If-Range could name
		start, length, status = byteRange(in.Range, b.size)
	}
	if status == http.StatusRequestedRangeNotSatisfiable {
		h.Set("Content-Range", "bytes */"+strconv.FormatInt(b.size, 10))
		h.Del("Content-Encoding")
		writeFailure(w, newFailure(status, Fault{Code: codeInvalid, Message: "the body has no such range", Field: "Range", Path: []string{"header", "Range"}}))
		return nil
	}
	if status == http.StatusPartialContent {
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, start+length-1, b.size))
	}
	if err := skip(b.bytes, start); err != nil {
		return fmt.Errorf("skip to the range: %w", err)
	}
	h.Set("Content-Length", strconv.FormatInt(length, 10))
	w.WriteHeader(status)
	return copyBody(w, io.LimitReader(b.bytes, length))
}

// skip moves r on by n bytes.
func skip(r io.Reader, n int64) error {
	if n == 0 {
		return nil
	}
	if s, ok := r.(io.Seeker); ok {
		_, err := s.Seek(n, io.SeekCurrent)
		return err
	}
	_, err := io.CopyN(io.Discard, r, n)
	return err
}

// copyBody copies r to w; its error is of reading.
func copyBody(w io.Writer, r io.Reader) error {
	reading := &errorKeeper{r: r}
	_, _ = io.Copy(w, reading) // an error of writing: the client left
	return reading.err
}

// errorKeeper tells errors of reading from those of writing.
type errorKeeper struct {
	r   io.Reader
	err error
}

func (k *errorKeeper) Read(p []byte) (int, error) {
	n, err := k.r.Read(p)
	if err != nil && err != io.EOF {
		k.err = err
	}
	return n, err
}

// ignoreCut drops the error that a decoder ends a cut body with, not that of reading the log.
func ignoreCut(err error, cut bool) error {
	if cut && !errors.Is(err, errStored) {
		return nil
	}
	return err
}

// byteRange reads a Range header for size bytes. What is not one range of bytes is as if it were not
// there, as RFC 9110, section 14.2, lets a server do.
func byteRange(header string, size int64) (start, length int64, status int) {
	unit, spec, ok := strings.Cut(header, "=")
	first, last, dash := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok || !dash || !strings.EqualFold(strings.TrimSpace(unit), "bytes") {
		return 0, size, http.StatusOK
	}
	from, errFrom := strconv.ParseUint(first, 10, 63)
	to, errTo := strconv.ParseUint(last, 10, 63)
	switch {
	case first == "" && errTo == nil: // the last to bytes
		if to == 0 || size == 0 {
			return 0, 0, http.StatusRequestedRangeNotSatisfiable
		}
		n := min(int64(to), size)
		return size - n, n, http.StatusPartialContent
	case errFrom != nil || last != "" && (errTo != nil || to < from):
		return 0, size, http.StatusOK
	case int64(from) >= size:
		return 0, 0, http.StatusRequestedRangeNotSatisfiable
	case last == "":
		return int64(from), size - int64(from), http.StatusPartialContent
	}
	return int64(from), min(int64(to), size-1) - int64(from) + 1, http.StatusPartialContent
}

// mediaType returns a content type that is safe to send: one that parses, written anew.
func mediaType(stored string) string {
	if t, params, err := mime.ParseMediaType(stored); err == nil {
		if clean := mime.FormatMediaType(t, params); clean != "" {
			return clean
		}
	}
	return "application/octet-stream"
}
