package estimate

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/andybalholm/brotli"
	"github.com/dlclark/regexp2/v2"
	"github.com/tiktoken-go/tokenizer/codec"
)

var update = flag.Bool("update", false, "write the vocabularies anew")

// reference is a vocabulary, what OpenAI says of it, and a library that has it as well.
type reference struct {
	name    string
	ours    *vocabulary
	pattern *regexp2.Regexp // https://github.com/openai/tiktoken/blob/main/tiktoken_ext/openai_public.py
	library *codec.Codec
}

// references has them once: a vocabulary takes a while to load.
var references = sync.OnceValue(func() []reference {
	const (
		word   = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`
		small  = `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`
		short  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)`
		spaces = `|\s*[\r\n]+|\s+(?!\S)|\s+`
	)
	return []reference{
		{
			"o200k", newVocabulary(o200kFile, o200kPiece),
			pattern(word + `*` + small + `+` + short + `?|` + word + `+` + small + `*` + short + `?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*` + spaces), codec.NewO200kBase(),
		},
		{
			"cl100k", newVocabulary(cl100kFile, cl100kPiece),
			pattern(short + `|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*` + spaces), codec.NewCl100kBase(),
		},
	}
})

// pattern reads one. The library has the same compiled, with a fault or two (it loses \x7f); in brackets it is
// another one, which is interpreted.
func pattern(p string) *regexp2.Regexp { return regexp2.MustCompile("(?:"+p+")", regexp2.None) }

// pieces cuts s by the pattern.
func (r *reference) pieces(t *testing.T, s string) (pieces []string) {
	t.Helper()
	m, err := r.pattern.FindStringMatch(s)
	for ; m != nil; m, err = r.pattern.FindNextMatch(m) {
		pieces = append(pieces, m.String())
	}
	if err != nil {
		t.Fatal(err)
	}
	return pieces
}

// merged counts the tokens of a piece as the rule has it, and slowly.
func (r *reference) merged(piece string) int {
	var parts []string
	for i := range len(piece) {
		parts = append(parts, piece[i:i+1])
	}
	for {
		best, at := uint32(noRank), 0
		for i := range len(parts) - 1 {
			if rank := r.ours.rank(parts[i] + parts[i+1]); rank < best {
				best, at = rank, i
			}
		}
		if best == noRank {
			return len(parts)
		}
		parts[at] += parts[at+1]
		parts = slices.Delete(parts, at+1, at+2)
	}
}

// TestVocabularies: the files hold the library's tokens. With -update they are written from it.
func TestVocabularies(t *testing.T) {
	for _, r := range references() {
		var lengths, text []byte
		for rank := range uint(1 << 20) {
			token, err := r.library.Decode([]uint{rank})
			if err != nil { // the first that is free
				break
			}
			lengths, text = append(lengths, byte(len(token))), append(text, token...)
		}
		if *update {
			var file bytes.Buffer
			w := brotli.NewWriterOptions(&file, brotli.WriterOptions{Quality: 11, LGWin: 22})
			fmt.Fprintf(w, "%s%s%s", binary.AppendUvarint(nil, uint64(len(lengths))), lengths, text)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(r.name+".br", file.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if len(lengths) < 100_000 || len(r.ours.ends) != len(lengths) || !bytes.Equal(r.ours.text, text) {
			t.Errorf("%s: %d tokens, %d bytes; want %d, %d", r.name, len(r.ours.ends), len(r.ours.text), len(lengths), len(text))
		}
		for rank := range lengths {
			if got := r.ours.rank(string(r.ours.token(uint32(rank)))); got != uint32(rank) {
				t.Fatalf("%s: the token of rank %d has rank %d", r.name, rank, got)
			}
		}
	}
}

// samples are texts that the rules have something to say about.
func samples() []string {
	return []string{
		"", "a", "hello world", "Hello, World! It's 2026; they'LL say DON'T.", "HTTPServer camelCase snake_case ABCdef", "12345678 ½²Ⅷ ٣٤٥٦",
		"  two  spaces   and\ttabs\t\tthere ", "lines\r\n\r\n  indented\n\n\n", "a \n b", "   \n  ", "\u00a0\u2003x", "path/to//file\n// comment\r\n/* */",
		"Übergrößenträger straße ÀÉ", "日本語のテキスト。かな、カナ", "русский ТЕКСТ Русский", "עברית العربية हिन्दी ไทย", "é decomposed; ̀ leading mark", "ǅungla ǈ ᾈ ʰ ª",
		"🙂🙃👩‍👩‍👧‍👦 flags 🇩🇪", "'s 't 're 'VE 'm 'll 'D 'x ''s", "x's X'S 中's 'ſ K's", "{\"a\":[1,2,{\"b\":null}]}", "<|endoftext|>", "\x00\x01",
		strings.Repeat("_", 3000), strings.Repeat("ab", 700), strings.Repeat(" ", 200) + "x", strings.Repeat("\n", 90), "antidisestablishmentarianism", "Donaudampfschifffahrtsgesellschaft",
	}
}

func TestCountsAreTheLibrarys(t *testing.T) {
	for _, r := range references() {
		for _, s := range samples() {
			want, err := r.library.Count(s)
			if got := r.ours.count(s); err != nil || got != want {
				t.Errorf("%s: %.40q has %d tokens, %v; want %d", r.name, s, got, err, want)
			}
		}
	}
}

// FuzzCount compares pieces and counts with what the rules say.
func FuzzCount(f *testing.F) {
	for _, s := range append(samples(), "\x7f", "\n \n", "\xff\xe2\x82") {
		f.Add(s)
	}
	all := references()
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range all {
			var pieces []string
			want := 0
			for rest := s; rest != ""; {
				piece := rest[:r.ours.piece(rest)]
				rest = rest[len(piece):]
				pieces = append(pieces, piece)
				want += r.merged(piece)
			}
			if got := r.ours.count(s); got != want {
				t.Errorf("%s: %q has %d tokens, want %d", r.name, s, got, want)
			}
			if utf8.ValidString(s) && !slices.Equal(pieces, r.pieces(t, s)) {
				t.Errorf("%s: %q has the pieces %q, want %q", r.name, s, pieces, r.pieces(t, s))
			}
		}
	})
}

func BenchmarkCount(b *testing.B) {
	text := strings.Repeat(strings.Join(samples()[:22], " "), 20)
	for _, r := range references() {
		b.Run(r.name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				r.ours.count(text)
			}
		})
		b.Run(r.name+"/library", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				_, _ = r.library.Count(text)
			}
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		newVocabulary(o200kFile, o200kPiece)
	}
}
