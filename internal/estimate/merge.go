package estimate

import "math"

// noRank is the rank of what is no token.
const noRank = math.MaxUint32

// merger counts the tokens of one piece after another: byte pair encoding begins with bytes and makes the two
// neighbours one whose token has the lowest rank, the first such pair, again and again until no pair is a token. It
// takes n log n steps, since a piece may be megabytes of the same character.
type merger struct {
	parts []mergePart // by the byte that a part begins with; those of other bytes are unused
	heap  []uint64    // pairs that may be merged, rank before place: the least on top. Some are outdated
}

// mergePart is a part of a piece, with its neighbours.
type mergePart struct {
	prev, next int32
	rank       uint32 // of the token that it makes together with the next
}

// count returns the number of tokens of piece, which is not empty.
func (m *merger) count(v *vocabulary, piece string) int {
	m.parts, m.heap = m.parts[:0], m.heap[:0]
	for i := range len(piece) {
		m.parts = append(m.parts, mergePart{int32(i) - 1, int32(i) + 1, noRank})
	}
	for i := range m.parts {
		m.look(v, piece, int32(i))
	}
	n := len(piece)
	for len(m.heap) > 0 {
		top := m.pop()
		i, rank := int32(top), uint32(top>>32)
		if m.parts[i].rank != rank {
			continue // one of the two has become part of another
		}
		gone := m.parts[i].next
		after := m.parts[gone].next
		m.parts[gone].rank = noRank
		m.parts[i].next = after
		if int(after) < len(piece) {
			m.parts[after].prev = i
		}
		n--
		m.look(v, piece, i)
		if before := m.parts[i].prev; before >= 0 {
			m.look(v, piece, before)
		}
	}
	return n
}

// look finds out whether the part at i and the next are a token together.
func (m *merger) look(v *vocabulary, piece string, i int32) {
	p := &m.parts[i]
	p.rank = noRank
	if int(p.next) >= len(piece) {
		return
	}
	if p.rank = v.rank(piece[i:m.parts[p.next].next]); p.rank != noRank {
		m.push(uint64(p.rank)<<32 | uint64(i))
	}
}

func (m *merger) push(x uint64) {
	m.heap = append(m.heap, x)
	i := len(m.heap) - 1
	for i > 0 && m.heap[(i-1)/2] > x {
		m.heap[i] = m.heap[(i-1)/2]
		i = (i - 1) / 2
	}
	m.heap[i] = x
}

func (m *merger) pop() uint64 {
	top, last := m.heap[0], m.heap[len(m.heap)-1]
	m.heap = m.heap[:len(m.heap)-1]
	i := 0
	for {
		least := 2*i + 1
		if least >= len(m.heap) {
			break
		}
		if least+1 < len(m.heap) && m.heap[least+1] < m.heap[least] {
			least++
		}
		if m.heap[least] >= last {
			break
		}
		m.heap[i] = m.heap[least]
		i = least
	}
	if i < len(m.heap) {
		m.heap[i] = last
	}
	return top
}
