package estimate

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkUsage is a 1 KB prompt and a stream of 100 events.
func BenchmarkUsage(b *testing.B) {
	request := []byte(`{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"` + strings.Repeat("All the world's a stage. ", 40) + `"}]}`)
	var stream strings.Builder
	for i := range 100 {
		fmt.Fprintf(&stream, "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word%d\"},\"finish_reason\":null}]}\n\n", i)
	}
	response := []byte(stream.String() + "data: [DONE]\n\n")
	var c Counter
	c.Usage(KindText, "gpt-4o", request, response)
	b.ReportAllocs()
	for b.Loop() {
		c.Usage(KindText, "gpt-4o", request, response)
	}
}
