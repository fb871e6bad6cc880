package estimate

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"io"

	"github.com/andybalholm/brotli"
)

// The vocabularies of OpenAI's tokenizers, as openai/tiktoken publishes them (MIT licence): the number of tokens, the
// length of each by rank, then all of them without anything between. As Go source they were 8.8 MB of the program.
var (
	//go:embed o200k.br
	o200kFile []byte
	//go:embed cl100k.br
	cl100kFile []byte
)

// vocabulary knows the tokens of a tokenizer, and where a text may be cut between them. It is not changed once made.
type vocabulary struct {
	text  []byte   // all tokens, by rank
	ends  []uint32 // where each ends
	table []uint32 // hash table: ranks from 1, 0 is free
	seed  maphash.Seed
	piece func(s string) int // length of what a text begins with that no token crosses the end of
}

// newVocabulary reads a file of this package: it panics if that is damaged.
func newVocabulary(file []byte, piece func(string) int) *vocabulary {
	data, err := io.ReadAll(brotli.NewReader(bytes.NewReader(file)))
	count, width := binary.Uvarint(data)
	if err != nil || width <= 0 || uint64(len(data)) < count {
		panic(fmt.Errorf("estimate: vocabulary of %d tokens in %d bytes: %w", count, len(data), err))
	}
	lengths, text := data[width:][:count], data[width:][count:]
	size := 1
	for size < 2*len(lengths) {
		size *= 2
	}
	v := &vocabulary{text: text, ends: make([]uint32, len(lengths)), table: make([]uint32, size), seed: maphash.MakeSeed(), piece: piece}
	end := uint32(0)
	for rank, n := range lengths {
		begin := end
		end += uint32(n)
		v.ends[rank] = end
		slot := v.slot(string(text[begin:end]))
		for v.table[slot] != 0 {
			slot = v.next(slot)
		}
		v.table[slot] = uint32(rank) + 1
	}
	return v
}

func (v *vocabulary) slot(s string) int { return int(maphash.String(v.seed, s)) & (len(v.table) - 1) }

func (v *vocabulary) next(slot int) int { return (slot + 1) & (len(v.table) - 1) }

// token returns the token of a rank.
func (v *vocabulary) token(rank uint32) []byte {
	begin := uint32(0)
	if rank > 0 {
		begin = v.ends[rank-1]
	}
	return v.text[begin:v.ends[rank]]
}

// rank returns the rank of a token; noRank if there is none.
func (v *vocabulary) rank(s string) uint32 {
	for slot := v.slot(s); v.table[slot] != 0; slot = v.next(slot) {
		if rank := v.table[slot] - 1; string(v.token(rank)) == s {
			return rank
		}
	}
	return noRank
}

// count counts the tokens of s.
func (v *vocabulary) count(s string) int {
	var m merger
	n := 0
	for len(s) > 0 {
		piece := s[:v.piece(s)]
		s = s[len(piece):]
		if len(piece) == 1 || v.rank(piece) != noRank {
			n++
			continue
		}
		n += m.count(v, piece)
	}
	return n
}
