package admin

import (
	"bytes"
	"context"
	"strings"
	"unicode/utf8"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// Previews are read from stored bodies when somebody asks for them, and kept nowhere: what a caller wrote is gone
// with its body. So that a page stays quick, larger bodies have none, and a page reads so many bytes at most.
const (
	previewRunes     = 120
	previewBodyBytes = 256 << 10 // of a body, decoded
	previewPageBytes = 8 << 20   // of a page's bodies
)

// bodies reports whether the caller may see what is stored of bodies in an account.
func (c *caller) bodies(account string) bool {
	if c.session != nil {
		return c.session.User.Role(account) >= RoleEditor || c.session.User.SeesBodies(account)
	}
	return c.role >= RoleEditor
}

// previews puts the previews into the rows of a page. What cannot be read has none: a list does not fail for it.
func (s *server) previews(ctx context.Context, stored []reqlog.Row, rows []Row) {
	texts, left := map[sluice.ID]*string{}, int64(previewPageBytes)
	for i := range stored {
		if left <= 0 || ctx.Err() != nil {
			break
		}
		e := &stored[i].Entry
		text, read := s.preview(ctx, stored[i])
		texts[e.ID.WithAttempt(0)] = text
		left -= read
	}
	for i := range rows {
		if id, err := sluice.ParseID(rows[i].entry.ID); err == nil {
			rows[i].entry.Preview = texts[id.WithAttempt(0)]
		}
	}
}

// preview reads the preview of a request, and tells how many bytes that took.
func (s *server) preview(ctx context.Context, row reqlog.Row) (*string, int64) {
	if storedBytes(row.Parts[reqlog.RequestSide]) > previewBodyBytes || row.Entry.Request.Truncated {
		return nil, 0
	}
	b, cut, err := s.readPlain(ctx, row, reqlog.RequestSide, previewBodyBytes)
	if err != nil || cut {
		return nil, int64(len(b))
	}
	return optional(lastPrompt(b)), int64(len(b))
}

// lastPrompt finds what a request body asks, whatever its dialect: the text of the last message of a user, else
// the prompt. It is on one line and of previewRunes characters at most; "": there is none.
func lastPrompt(body []byte) string {
	for step := range jsonscan.Of(bytes.TrimSpace(body)).Elements() { // of a universal request: the first counts
		var query [1]jsonscan.Value
		jsonscan.Top(step.Raw, []string{"query"}, query[:])
		body = query[0].Raw
		break
	}
	keys := []string{"messages", "contents", "input", "prompt", "inputs", "message", "query", "text"}
	var found [8]jsonscan.Value
	if !jsonscan.Top(body, keys, found[:]).Valid {
		return ""
	}
	for _, v := range found {
		var last string
		if v.Kind == jsonscan.Array {
			last = lastOfUser(v)
		} else {
			last = promptText(v, 0)
		}
		if last != "" {
			return last
		}
	}
	return ""
}

// lastOfUser is the text of the last element that a user said; an element that does not say whose it is, is.
func lastOfUser(list jsonscan.Value) (last string) {
	for element := range list.Elements() {
		if element.Kind == jsonscan.Object {
			var of [2]jsonscan.Value
			jsonscan.Top(element.Raw, []string{"role", "type"}, of[:])
			role, kind := of[0].String(), of[1].String()
			if of[0].Found && !strings.EqualFold(role, "user") || !of[0].Found && of[1].Found && kind != "message" && !strings.HasSuffix(kind, "text") {
				continue
			}
		}
		if text := promptText(element, 0); text != "" {
			last = text
		}
	}
	return last
}

// promptText is the text in a message, however it is wrapped: a string, a part with text, content with parts. Of
// several parts the first text counts. Tools' results and files are none.
func promptText(v jsonscan.Value, depth int) string {
	const deepest = 4 // message, content, part, text
	switch {
	case depth > deepest:
		return ""
	case v.Kind == jsonscan.String:
		return oneLine(v.String())
	case v.Kind == jsonscan.Array:
		for part := range v.Elements() {
			if text := promptText(part, depth+1); text != "" {
				return text
			}
		}
	case v.Kind == jsonscan.Object:
		keys := []string{"text", "content", "parts", "prompt"}
		var found [4]jsonscan.Value
		var kind [1]jsonscan.Value
		jsonscan.Top(v.Raw, []string{"type"}, kind[:])
		if strings.HasPrefix(kind[0].String(), "tool") || strings.HasPrefix(kind[0].String(), "function") {
			return ""
		}
		jsonscan.Top(v.Raw, keys, found[:])
		for _, inner := range found {
			if text := promptText(inner, depth+1); text != "" {
				return text
			}
		}
	}
	return ""
}

// oneLine is the beginning of a text with white space and control characters as single spaces.
func oneLine(text string) string {
	var b strings.Builder
	n, gap := 0, false
	for _, r := range text {
		if r <= ' ' || r == 0x7f || r == utf8.RuneError || r == '\u2028' || r == '\u2029' || r == '\u0085' || r == '\u00a0' {
			gap = n > 0
			continue
		}
		if gap {
			b.WriteByte(' ')
			n, gap = n+1, false
		}
		if n >= previewRunes {
			break
		}
		b.WriteRune(r)
		n++
	}
	return strings.TrimRight(b.String(), " ")
}
