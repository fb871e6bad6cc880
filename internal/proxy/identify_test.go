package proxy

import (
	"strings"
	"testing"
)

func TestCutSegment(t *testing.T) {
	tests := []struct{ path, segment, rest string }{
		{"openai/v1/x", "openai", "v1/x"},
		{"openai", "openai", ""},
		{"openai/", "openai", ""},
		{"openai//chat", "openai", "/chat"},
		{"openai?model=x", "openai", "?model=x"},
		{"openai?a=b/c", "openai", "?a=b/c"},
		{"hf/org%2Fmodel", "hf", "org%2Fmodel"},
		{"", "", ""},
	}
	for _, tt := range tests {
		if segment, rest := cutSegment(tt.path); segment != tt.segment || rest != tt.rest {
			t.Errorf("cutSegment(%q) = %q, %q; want %q, %q", tt.path, segment, rest, tt.segment, tt.rest)
		}
	}
}

func TestOriginForm(t *testing.T) {
	tests := map[string]string{
		"/v1/a?b":                     "/v1/a?b",
		"http://host/v1/a?b=http://c": "/v1/a?b=http://c",
		"http://host":                 "/",
		"http://host?x=/y":            "/",
		"//v1/a":                      "//v1/a",
		"*":                           "*",
	}
	for in, want := range tests {
		if got := originForm(in); got != want {
			t.Errorf("originForm(%q) = %q; want %q", in, got, want)
		}
	}
}

func TestHostName(t *testing.T) {
	tests := map[string]string{"AI.Example.com:8443": "ai.example.com", "ai.example.com.": "ai.example.com", "[::1]:80": "::1", "": ""}
	for in, want := range tests {
		if got := hostName(in); got != want {
			t.Errorf("hostName(%q) = %q; want %q", in, got, want)
		}
	}
}

// FuzzTarget proves that splitting a target loses and adds nothing.
func FuzzTarget(f *testing.F) {
	for _, seed := range []string{"/v1/default/default/openai/chat?x=y", "http://h/v1/a/b/c", "//", "?", "/v1/a?b/c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		path := originForm(target)
		if !strings.Contains(target, path) && path != "/" {
			t.Errorf("originForm(%q) = %q", target, path)
		}
		segment, rest := cutSegment(path)
		if strings.ContainsAny(segment, "/?") || len(segment)+len(rest) < len(path)-1 || !strings.HasSuffix(path, rest) {
			t.Errorf("cutSegment(%q) = %q, %q", path, segment, rest)
		}
	})
}
