package jsonscan

// Stack remembers which containers are open, one bit for each: object or array. It holds MaxDepth
// levels. The zero Stack is empty.
type Stack struct {
	depth int
	bits  uint64   // the innermost levels, up to 64
	full  []uint64 // the words below
}

// Push opens a container. It reports false, and does nothing, when that would be too deep.
func (s *Stack) Push(object bool) bool {
	if s.depth == MaxDepth {
		return false
	}
	if s.depth%64 == 0 && s.depth > 0 {
		s.full, s.bits = append(s.full, s.bits), 0
	}
	s.bits <<= 1
	if object {
		s.bits |= 1
	}
	s.depth++
	return true
}

// Pop closes the innermost container; there must be one.
func (s *Stack) Pop() {
	s.depth--
	s.bits >>= 1
	if s.depth%64 == 0 && s.depth > 0 {
		last := len(s.full) - 1
		s.full, s.bits = s.full[:last], s.full[last]
	}
}

// Object reports whether the innermost container is an object.
func (s *Stack) Object() bool { return s.bits&1 != 0 }

// Depth returns how many containers are open.
func (s *Stack) Depth() int { return s.depth }

// Reset closes all containers and keeps the room.
func (s *Stack) Reset() { *s = Stack{full: s.full[:0]} }
