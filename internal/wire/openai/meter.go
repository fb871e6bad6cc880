package openai

import (
	"slices"
	"strings"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/answer"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// meter reads one answer.
type meter struct {
	answer.Meter
	endpoint *endpoint
	quirk    Quirk
	text     text
	kind     string // the last type of an event: repeated ones cost nothing
	tier     string // the last service tier, as it was worded
	counted  bool   // usage has come: timings say nothing new
	duration answer.Count
	pictures answer.Count
	pages    answer.Count
	searches answer.Count
	found    answer.Count // searches of a stream as they ended, one after the other
	done     answer.Count // index of the last item that ended with a search
}

// text is what was picked from the current event, or from the whole answer.
type text struct {
	typed    bool // it has a type, which is kept in the meter
	status   string
	reason   string
	fault    answer.Fault
	flat     string
	usage    bool
	timed    bool // it has timings, which each chunk may have
	choices  bool
	answered bool // it holds a part of an answer, so a flat message is no error's
	delta    bool
	pictured bool         // it holds a picture, if only a part of one
	calls    int64        // of the tool that searches the web
	reads    int64        // those of them that read a page that was found
	index    answer.Count // of the item that the event is about
}

func newMeter(e *endpoint, stream bool) *meter {
	m := &meter{endpoint: e}
	m.In.Reset(e.Set, stream, (*handler)(m))
	return m
}

func (m *meter) Close() wire.Reading {
	m.In.Close()
	m.R.Tier = wire.Tier(m.tier)
	if _, known := m.R.Usage.Get(sluice.Milliseconds); !known {
		m.duration.To(&m.R.Usage, sluice.Milliseconds)
	}
	m.pictures.To(&m.R.Usage, sluice.Images)
	m.pages.To(&m.R.Usage, sluice.Pages)
	m.searched()
	return m.R
}

// searched sets the count of searches. Where the end of a stream is missing, those that had ended before are
// what is known.
func (m *meter) searched() {
	u := &m.R.Usage
	switch known := u.Known(); {
	case m.searches.Known:
		m.searches.To(u, sluice.WebSearches)
	case m.found.Known:
		m.found.To(u, sluice.WebSearches)
		if !known {
			u.Basis = sluice.BasisPartial
		}
	}
}

// handler is the meter as the answer's reader sees it.
type handler meter

// Pick takes a value of the current text.
func (h *handler) Pick(path int, v jsonscan.Value) {
	x := &h.text
	switch h.endpoint.Tells(path) {
	case model:
		h.model(v)
	case usage:
		h.usage(v)
	case timings:
		if u := timingsOf(v); u.Known() && !h.counted {
			x.timed = true
			merge(&h.R.Usage, u)
		}
	case duration:
		h.duration.SetSeconds(unquoted(v))
	case pictured:
		x.pictured = true
	case picture:
		h.pictures = answer.Count{N: h.pictures.N + 1, Known: true}
	case item:
		if string(v.Raw) == `"web_search_call"` {
			x.calls++
		}
	case action:
		switch string(v.Raw) {
		case `"open_page"`, `"find_in_page"`, `"find"`:
			x.reads++
		}
	case index:
		x.index.Set(v)
	case pages:
		h.pages.Set(v)
	case tier:
		answer.Remember(&h.tier, v)
	case choices:
		x.choices, x.answered = true, true
	case finish:
		answer.Remember(&h.R.Finish, v)
	case status:
		answer.Remember(&x.status, v)
	case reason:
		answer.Remember(&x.reason, v)
	case content:
		if v.Kind != jsonscan.Number && v.Kind != jsonscan.Bool {
			x.answered = true
			h.Content()
		}
	case kind:
		x.typed = true
		answer.Remember(&h.kind, v)
	case delta:
		x.delta = true
	case object:
		if string(v.Raw) == `"error"` {
			x.fault.Set()
		}
	case failure:
		x.fault.Error(v)
	case message:
		x.fault.Message(v)
	case code:
		x.fault.Code(v)
	case flat:
		if x.flat == "" && len(v.Raw) > 0 {
			x.flat = answer.Message(v)
		}
	}
}

// usage takes a usage object.
func (h *handler) usage(v jsonscan.Value) {
	u, cost := usageOf(v, h.quirk)
	if h.endpoint.fill != nil {
		h.endpoint.fill(&u, v)
	}
	if u.Known() {
		h.text.usage, h.text.answered, h.counted = true, true, true
		merge(&h.R.Usage, u)
	}
	if cost != "" {
		h.R.Cost = cost
	}
}

// unquoted returns what stands in a string: older answers write numbers so.
func unquoted(v jsonscan.Value) jsonscan.Value {
	if v.Kind == jsonscan.String && len(v.Raw) > 2 {
		return jsonscan.Of(v.Raw[1 : len(v.Raw)-1])
	}
	return v
}

// model notes the answer's model. Chunks repeat it: only a change costs anything.
func (h *handler) model(v jsonscan.Value) {
	if v.Kind == jsonscan.String && len(v.Raw) > 2 {
		h.text.answered = true
		if string(v.Raw[1:len(v.Raw)-1]) != h.R.Model {
			h.R.Model = v.String()
		}
	}
}

// End takes the end of an event, or of the whole answer.
func (h *handler) End(t answer.Text) {
	x := &h.text
	if h.endpoint.typed {
		h.typed()
	}
	h.fail(t)
	final := t.Sentinel || !t.Event && t.Whole || x.typed && slices.Contains(h.endpoint.ends, h.kind)
	if final {
		h.R.Seen |= wire.SeenEnd
	}
	// Chat completions report usage in a chunk without choices, or in the last one that has some.
	last := !h.endpoint.typed && (x.usage && !x.choices || (x.usage || x.timed) && h.R.Finish != "")
	known := h.R.Usage.Basis == sluice.BasisProvider || h.duration.Known || h.pictures.Known || h.pages.Known
	if (final || last) && known {
		h.R.Seen |= wire.SeenUsage
	}
	*x = text{}
}

// typed reads what only endpoints with typed events have.
func (h *handler) typed() {
	x := &h.text
	if x.typed && h.event(h.kind) {
		h.R.Seen |= wire.SeenContent
	}
	if x.typed && x.pictured && strings.HasSuffix(h.kind, ".completed") {
		h.pictures = answer.Count{N: h.pictures.N + 1, Known: true}
	}
	// Searches stand beside the usage, in the items of the answer. Older items do not say what was done: they
	// are searches. Reading a page costs nothing (https://platform.openai.com/docs/guides/tools-web-search).
	if n := x.calls - x.reads; n > 0 && x.usage {
		h.searches = answer.Count{N: n, Known: true}
	} else if n > 0 && x.typed && h.kind == "response.output_item.done" && x.index.Known && x.index != h.done {
		// Of events in a row that read the same only one is sure to come here; their index makes them differ.
		h.done, h.found = x.index, answer.Count{N: h.found.N + 1, Known: true}
	}
	if x.typed && h.kind == "error" || x.status == "failed" {
		x.fault.Set()
	}
	switch {
	case x.reason != "":
		h.R.Finish = x.reason
	case x.status != "" && x.status != "in_progress" && x.status != "queued":
		h.R.Finish = x.status
	}
}

// event reports whether an event of that type carries a part of the answer.
func (h *handler) event(kind string) bool {
	switch kind[strings.LastIndexByte(kind, '.')+1:] {
	case "delta":
		return h.text.delta
	case "partial_image", "segment", "done":
		return true
	case "completed":
		return !strings.HasPrefix(kind, "response.")
	}
	return false
}

// fail notes the error of the current text, if it holds one.
func (h *handler) fail(t answer.Text) {
	x := &h.text
	if x.flat != "" {
		if !x.answered && !t.Event {
			x.fault.Set()
		}
		x.fault.Fallback(x.flat)
	}
	h.Ended(&x.fault)
}
