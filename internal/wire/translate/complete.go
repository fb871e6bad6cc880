package translate

// completion follows the text of one JSON value as it comes, and tells when it is whole.
type completion struct {
	depth    int
	begun    bool
	inString bool
	escaped  bool
	whole    bool
}

// feed takes the next piece of the text.
func (c *completion) feed(s string) {
	for i := 0; i < len(s) && !c.whole; i++ {
		b := s[i]
		switch {
		case c.escaped:
			c.escaped = false
		case c.inString:
			c.escaped = b == '\\'
			c.inString = b != '"'
		case b == '"':
			c.inString, c.begun = true, true
		case b == '{' || b == '[':
			c.depth++
			c.begun = true
		case b == '}' || b == ']':
			c.depth--
		}
		c.whole = c.begun && c.depth <= 0 && !c.inString
	}
}
