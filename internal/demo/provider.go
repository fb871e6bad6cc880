package demo

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Providers are the slugs that Provider answers for, each below a path of its own name.
func Providers() []string { return []string{"openai", "anthropic", "groq", "mistral"} }

// maxAsked bounds what Provider reads of a request.
const maxAsked = 8 << 20

// Provider answers like the providers of the made-up applications, with texts of theirs and at about their pace.
// Some calls fail, by what they ask for: the same call fails each time, so that whoever looks can repeat it.
func Provider() http.Handler {
	all := models()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAsked))
		if err != nil {
			return // the caller is gone, or sends no end of bytes
		}
		m := &model{dialect: openAI, first: 300 * time.Millisecond, perSecond: 90}
		if strings.HasSuffix(r.URL.Path, "/messages") {
			m.dialect = anthropic
		}
		s := asked(body, m)
		for _, known := range all {
			if known.name == s.model.name {
				m.first, m.perSecond = known.first, known.perSecond
			}
		}
		if !strings.HasSuffix(r.URL.Path, "/messages") && !strings.HasSuffix(r.URL.Path, "/chat/completions") {
			send(r.Context(), w, http.StatusNotFound, "application/json", 0, refusal(m.dialect, "not_found_error", "This is a made-up provider: it knows chat/completions and messages."))
			return
		}
		if luck := chance(body); luck < 4 {
			status, kind, message := http.StatusTooManyRequests, "rate_limit_error", "Rate limit reached. Please try again in 812ms."
			if luck < 1 {
				status, kind, message = http.StatusServiceUnavailable, "overloaded_error", "The server is overloaded. Please try again later."
			}
			send(r.Context(), w, status, "application/json", 0, refusal(m.dialect, kind, message))
			return
		}
		parts := s.answer()
		pause := time.Duration(float64(s.out) / m.perSecond * float64(time.Second) / float64(len(parts)))
		if !wait(r.Context(), m.first) {
			return
		}
		send(r.Context(), w, http.StatusOK, s.contentType(), pause, parts...)
	})
}

// asked reads a request as far as the answer depends on it.
func asked(body []byte, m *model) *said {
	var q struct {
		Model    string `json:"model"`
		Stream   bool   `json:"stream"`
		Messages []struct {
			Content json.RawMessage `json:"content"`
		} `json:"messages"`
	}
	_ = json.Unmarshal(body, &q) // what is missing is answered all the same
	m.name = q.Model
	last := ""
	if n := len(q.Messages); n > 0 {
		last = string(q.Messages[n-1].Content)
		_ = json.Unmarshal(q.Messages[n-1].Content, &last) // parts of other kinds stay as they are
	}
	s := &said{model: m, topic: answering(last), stream: q.Stream, id: strconv.FormatUint(uint64(fnvOf(body)), 16)}
	s.in = int64(len(body)/4 + 3)
	s.out = int64(len(s.topic.answer)/4 + 1)
	s.createdSec = time.Now().Unix()
	return s
}

// answering is the topic whose question was asked; for any other question a text that says whose answer it is.
func answering(ask string) *topic {
	for _, a := range apps() {
		for i := range a.topics {
			if a.topics[i].ask == ask {
				return &a.topics[i]
			}
		}
	}
	return &topic{ask: ask, answer: "This answer is made up: `sluice demo` answers in place of the provider, so that you can try everything without a key. You asked: “" + cut(ask, 300) + "”"}
}

func cut(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most]) + "…"
}

func fnvOf(body []byte) uint32 {
	h := fnv.New32a()
	_, _ = h.Write(body) // cannot fail
	return h.Sum32()
}

// chance is a number below 100 that belongs to the request.
func chance(body []byte) uint32 { return fnvOf(body) % 100 }

// send writes an answer in parts, with a pause between.
func send(ctx context.Context, w http.ResponseWriter, status int, contentType string, pause time.Duration, parts ...[]byte) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	for i, p := range parts {
		if i > 0 && !wait(ctx, pause) {
			return
		}
		if _, err := w.Write(p); err != nil {
			return // the caller is gone
		}
		_ = http.NewResponseController(w).Flush() // fails with the next Write, too
	}
}

// wait waits. false: ctx ended before.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
