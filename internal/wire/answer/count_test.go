package answer_test

import (
	"math"
	"testing"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire/answer"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

func TestCounts(t *testing.T) {
	known := func(n int64) answer.Count { return answer.Count{N: n, Known: true} }
	var c answer.Count
	for _, step := range []struct {
		take func(v jsonscan.Value)
		raw  string
		want answer.Count
	}{
		{c.Set, `null`, answer.Count{}},
		{c.Set, `"7"`, answer.Count{}},
		{c.Set, `-7`, answer.Count{}},
		{c.Add, `null`, answer.Count{}},
		{c.Set, `0`, known(0)},
		{c.Set, `7`, known(7)},
		{c.Set, `null`, known(7)},
		{c.Raise, `6`, known(7)},
		{c.Raise, `8`, known(8)},
		{c.Add, `2`, known(10)},
		{c.Add, `{}`, known(10)},
		{c.Set, `3`, known(3)},
	} {
		if step.take(jsonscan.Of([]byte(step.raw))); c != step.want {
			t.Errorf("after %s: %+v, want %+v", step.raw, c, step.want)
		}
	}
	for _, s := range []struct{ got, want answer.Count }{
		{answer.Sum(), answer.Count{}},
		{answer.Sum(answer.Count{}, answer.Count{}), answer.Count{}},
		{answer.Sum(answer.Count{}, known(0)), known(0)},
		{answer.Sum(known(1), answer.Count{}, known(2)), known(3)},
		{answer.Sum(known(math.MaxInt64), known(2)), known(math.MaxInt64)},
	} {
		if s.got != s.want {
			t.Errorf("sum %+v, want %+v", s.got, s.want)
		}
	}
}

func TestWritesAreSplitByLifetime(t *testing.T) {
	known, unknown := func(n int64) answer.Count { return answer.Count{N: n, Known: true} }, answer.Count{}
	for name, c := range map[string]struct{ total, short, long, wantShort, wantLong answer.Count }{
		"nothing":                    {unknown, unknown, unknown, unknown, unknown},
		"the split only":             {unknown, known(1), known(2), known(1), known(2)},
		"the total only":             {known(5), unknown, unknown, known(5), unknown},
		"both, equal":                {known(3), known(1), known(2), known(1), known(2)},
		"more than the split":        {known(9), known(1), known(2), known(7), known(2)},
		"less than the longer one":   {known(1), known(1), known(2), known(0), known(1)},
		"one part, equal to the sum": {known(2), unknown, known(2), known(0), known(2)},
	} {
		if short, long := answer.Writes(c.total, c.short, c.long); short != c.wantShort || long != c.wantLong {
			t.Errorf("%s: %+v and %+v", name, short, long)
		}
	}
}

func TestUnknownCountsAreNotSet(t *testing.T) {
	var u sluice.Usage
	answer.Count{N: 7}.To(&u, sluice.Input)
	if u != (sluice.Usage{}) {
		t.Errorf("%+v", u)
	}
	answer.Count{Known: true}.To(&u, sluice.Input)
	if n, known := u.Get(sluice.Input); n != 0 || !known || u.Basis != sluice.BasisProvider {
		t.Errorf("%+v", u)
	}
}
