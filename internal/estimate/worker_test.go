package estimate_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/estimate"
	"github.com/sluicehq/sluice/internal/price"
	"github.com/sluicehq/sluice/internal/proxy/proxytest"
)

const noUsage = "data: {\"model\":\"gpt-4o-2024-08-06\",\"choices\":[{\"delta\":{\"content\":\"hello world\"}}]}\n\n" +
	"data: {\"model\":\"gpt-4o-2024-08-06\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"

// estimated sends a call that says so, gives it the answer, and returns its entry once its usage is as wanted. cut: the
// answer breaks off.
func estimated(t *testing.T, path, said, answer string, cut bool, wanted func(u *sluice.Usage) bool) (*proxytest.Gateway, sluice.LogEntry) {
	t.Helper()
	prices := price.Embedded()
	w := estimate.NewWorker(prices.Of, nil, slog.New(slog.DiscardHandler))
	g := proxytest.NewOver(t, w.Watch, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, answer)
		if cut {
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
	})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx, g.Log)
	}()
	_, _, _ = g.Do("POST", "openai/"+path, nil, strings.NewReader(`{"model":"gpt-4o","stream":true,`+said+`}`))
	var e sluice.LogEntry
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if e = g.Row(); wanted(&e.Usage) {
			break
		}
	}
	stop()
	<-done
	return g, e
}

// TestWorkerCountsTokensBesideSearches: a count of searches must not keep the tokens of a stream that broke
// off unknown.
func TestWorkerCountsTokensBesideSearches(t *testing.T) {
	const searches = `data: {"type":"response.output_item.done","output_index":0,"item":{"type":"web_search_call","action":{"type":"search"}}}` + "\n\n" +
		`data: {"type":"response.output_text.delta","output_index":1,"delta":"hello world"}` + "\n\n"
	_, e := estimated(t, "responses", `"input":"hello world"`, searches, true, func(u *sluice.Usage) bool {
		_, known := u.Get(sluice.Output)
		return known
	})
	in, _ := e.Usage.Get(sluice.Input)
	out, _ := e.Usage.Get(sluice.Output)
	n, _ := e.Usage.Get(sluice.WebSearches)
	if in == 0 || out != 2 || n != 1 || e.Usage.Basis != sluice.BasisPartial {
		t.Errorf("in %d, out %d, searches %d, basis %s", in, out, n, e.Usage.Basis)
	}
	if want := sluice.NanoUSD(in*2_500 + out*10_000 + 10_000_000); !e.Priced || e.Cost != want {
		t.Errorf("cost = %d, %v; want %d", e.Cost, e.Priced, want)
	}
}

func TestWorkerEstimatesWhatNobodyCounted(t *testing.T) {
	tests := []struct {
		name   string
		answer string
		cut    bool
		in     int64
		out    int64
		basis  sluice.Basis
	}{
		{"a stream without usage", noUsage, false, 8, 2, sluice.BasisEstimated},
		{"a stream that broke off", noUsage[:100], true, 8, 2, sluice.BasisPartial},
		{"an answer with usage is left alone", `{"model":"gpt-4o","usage":{"prompt_tokens":70,"completion_tokens":7}}`, false, 70, 7, sluice.BasisProvider},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, e := estimated(t, "chat/completions", `"messages":[{"role":"user","content":"hello world"}]`, tt.answer, tt.cut, func(u *sluice.Usage) bool { return u.Known() })
			in, _ := e.Usage.Get(sluice.Input)
			out, _ := e.Usage.Get(sluice.Output)
			if in != tt.in || out != tt.out || e.Usage.Basis != tt.basis {
				t.Errorf("in %d, out %d, basis %s; want %d, %d, %s", in, out, e.Usage.Basis, tt.in, tt.out, tt.basis)
			}
			if want := sluice.NanoUSD(tt.in*2_500 + tt.out*10_000); !e.Priced || e.Cost != want {
				t.Errorf("cost = %d, %v; want %d", e.Cost, e.Priced, want)
			}
			if rows := g.Rows(); len(rows) != 1 {
				t.Errorf("%d rows; a correction makes no other", len(rows))
			}
		})
	}
}
