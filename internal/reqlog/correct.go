package reqlog

// Correct hands over a new version of an exchange that has ended: r as it was read back, with its Entry
// changed. Its stored bodies stay. It never waits for disk or database; the index replaces the row and
// corrects the roll-ups when it comes to it. The zero Ticket: there was no room, and all is as it was.
func (l *Log) Correct(r *Record) Ticket {
	var parts [2][]partRef
	for side, list := range r.Parts {
		for _, p := range list {
			s := l.catalog.get(p.Segment)
			if s == nil {
				continue // dropped by retention
			}
			parts[side] = append(parts[side], partRef{block: s.firstBody + uint64(p.Block), offset: p.Offset, length: p.Length})
		}
	}
	e := &r.Entry
	bound := recordBound(e, &parts)
	if bound > maxRecord {
		e = slim(e)
		bound = recordBound(e, &parts)
	}
	l.ring.mu.Lock()
	defer l.ring.mu.Unlock()
	ticket, _ := l.ring.put(&record{kind: kindCorrection, entry: e, parts: &parts, countOnly: r.CountOnly, whole: true, bound: bound})
	return ticket
}
