package sluice_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	sluice "github.com/sluicehq/sluice"
)

func TestSecretNeverShows(t *testing.T) {
	s := sluice.NewSecret("canary-5fd1")
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "secret", s, "in", struct{ S sluice.Secret }{s})
	text, err := json.Marshal(map[string]any{"s": s, "p": &s})
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{fmt.Sprint(s), fmt.Sprintf("%#v %+v %q %x", s, struct{ S sluice.Secret }{s}, s, s), logged.String(), string(text)} {
		if strings.Contains(shown, "canary") || strings.Contains(shown, fmt.Sprintf("%x", "canary-5fd1")) {
			t.Errorf("shown: %s", shown)
		}
	}
	if s.Reveal() != "canary-5fd1" || s.IsZero() || !sluice.NewSecret("").IsZero() {
		t.Error("Reveal and IsZero")
	}
}

func TestUsage(t *testing.T) {
	var u sluice.Usage
	if _, known := u.Get(sluice.Input); known || u.Known() {
		t.Error("the zero Usage knows something")
	}
	u.Set(sluice.Input, 0)
	u.Set(sluice.Output, -1)
	if n, known := u.Get(sluice.Input); n != 0 || !known {
		t.Error("a zero that was reported is known")
	}
	if _, known := u.Get(sluice.Output); known {
		t.Error("a negative count was taken")
	}
	for c := range sluice.ClassCount {
		if c.String() == "" {
			t.Errorf("class %d has no name", c)
		}
	}
}

func TestHeader(t *testing.T) {
	h := sluice.Header{{Name: "A", Value: "1"}, {Name: "b", Value: "2"}, {Name: "a", Value: "3"}}
	if h.Get("a") != "1" || !h.Has("B") || h.Has("c") || !slices.Equal(h.Values("A"), []string{"1", "3"}) {
		t.Errorf("header = %v", h)
	}
	h.Set("A", "4")
	if !slices.Equal(h, sluice.Header{{Name: "b", Value: "2"}, {Name: "A", Value: "4"}}) {
		t.Errorf("after Set: %v", h)
	}
	h.Del("B")
	if len(h) != 1 {
		t.Errorf("after Del: %v", h)
	}
}

func TestKindOf(t *testing.T) {
	err := fmt.Errorf("open log: %w", &sluice.Error{Kind: sluice.KindNotFound, Msg: "no such entry", Err: errors.New("cause")})
	if sluice.KindOf(err) != sluice.KindNotFound || sluice.KindOf(errors.New("plain")) != sluice.KindInternal {
		t.Error("KindOf")
	}
	if !strings.Contains(err.Error(), "cause") {
		t.Errorf("%v lacks its cause", err)
	}
}

func TestEndingsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for e := sluice.EndingUnknown; e <= sluice.EndingInFlight; e++ {
		if seen[e.String()] {
			t.Errorf("%d is called %s, like another", e, e)
		}
		seen[e.String()] = true
	}
}
