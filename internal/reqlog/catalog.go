package reqlog

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// segment is what the process knows of one segment. number, firstBody and created do not change.
type segment struct {
	number    uint64
	firstBody uint64
	created   time.Time

	// How far the files are written, and whether that is final. Readers load sealed first. Of a
	// segment of an earlier process only its bytes tell the end: sealed, and the largest number.
	rowsEnd   atomic.Int64
	bodiesEnd atomic.Int64
	sealed    atomic.Bool

	// Guarded by the catalog's mutex.
	newest     int64 // start of the newest exchange, unix milliseconds; 0: not known yet
	bodiesGone bool  // there is no bodies file, or no longer
	packed     bool  // recompressed, or found to need none
	deletes    bool  // there is a KindDelete in it
	clean      Pos   // deletions before it were carried out in its files
	generation int   // how often its files were replaced
	disk       [2]int64
}

const unknownEnd = 1 << 62

// catalog lists the segments, oldest first. It is safe for concurrent use.
type catalog struct {
	dir   string
	spare atomic.Int64 // disk space of a segment that was made ahead

	// swap is held while a file is put in another's place, or opened to be told from that one. It is taken
	// before mu, which nobody holds while the file system works: the appender needs it.
	swap sync.RWMutex
	mu   sync.Mutex
	list []*segment
}

// loadCatalog lists the segments in dir, leaving out (and telling of) what is none.
func loadCatalog(dir string, log *slog.Logger) (*catalog, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	c := &catalog{dir: dir}
	rows := map[uint64]bool{}
	for _, f := range files {
		if n, ok := segmentNumber(f.Name(), rowsSuffix); ok {
			rows[n] = true
		}
	}
	for _, f := range files {
		if n, ok := segmentNumber(f.Name(), bodiesSuffix); ok && !rows[n] && isBlank(segmentPath(dir, n, bodiesSuffix)) {
			_ = os.Remove(segmentPath(dir, n, bodiesSuffix)) // a segment that was being made ahead
		}
		if filepathIsTemp(f.Name()) {
			_ = os.Remove(dir + string(os.PathSeparator) + f.Name()) // a recompression that was not finished
			continue
		}
		n, ok := segmentNumber(f.Name(), rowsSuffix)
		if !ok {
			continue
		}
		s, err := loadSegment(dir, n)
		if errors.Is(err, errNoSegment) && removeBlank(dir, n) {
			continue
		}
		if err != nil {
			log.Warn("log segment left out", "segment", n, "error", err)
			continue
		}
		c.list = append(c.list, s)
	}
	slices.SortFunc(c.list, func(a, b *segment) int { return cmp.Compare(a.number, b.number) })
	return c, nil
}

func filepathIsTemp(name string) bool {
	for _, suffix := range []string{rowsSuffix + tempSuffix, bodiesSuffix + tempSuffix} {
		if _, ok := segmentNumber(name, suffix); ok {
			return true
		}
	}
	return false
}

// loadSegment reads a segment's header, and its end block when it has one.
func loadSegment(dir string, number uint64) (*segment, error) {
	f, err := os.Open(segmentPath(dir, number, rowsSuffix))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var b [fileHeaderSize]byte
	if _, err := f.ReadAt(b[:], 0); err != nil {
		return nil, errNoSegment
	}
	h, err := parseFileHeader(b[:], magicRows)
	if err != nil {
		return nil, err
	}
	if h.segment != number {
		return nil, errors.New("the file's name is not its number")
	}
	s := &segment{number: number, firstBody: h.firstBody, created: h.created}
	s.rowsEnd.Store(unknownEnd)
	s.bodiesEnd.Store(unknownEnd)
	s.sealed.Store(true)
	if info, err := f.Stat(); err == nil {
		s.disk[0] = diskSize(info)
		if end, err := readHeader(f, info.Size()-blockHeaderSize, unknownEnd, number); err == nil && end.kind == kindEnd {
			s.newest, s.packed, s.deletes = end.newest, end.codec == codecZstd, end.deletes
		}
	}
	info, err := os.Stat(segmentPath(dir, number, bodiesSuffix))
	switch {
	case err == nil:
		s.disk[1] = diskSize(info)
	case errors.Is(err, fs.ErrNotExist):
		s.bodiesGone = true
	}
	return s, nil
}

// removeBlank removes a segment that was made ahead and never used, or of which a killed process had begun
// no more than the header of the bodies. false: it is none.
func removeBlank(dir string, number uint64) bool {
	rows := segmentPath(dir, number, rowsSuffix)
	if !isBlank(rows) {
		return false
	}
	// The rows file last: without it the other is not found again.
	if err := os.Remove(segmentPath(dir, number, bodiesSuffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	return os.Remove(rows) == nil
}

// isBlank reports whether there is nothing but zeroes where a segment's file has its headers.
func isBlank(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var b [fileHeaderSize + blockHeaderSize]byte
	if _, err := io.ReadFull(f, b[:]); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false
	}
	return b == [len(b)]byte{}
}

// add puts s at the end.
func (c *catalog) add(s *segment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, s)
}

// from returns the first segment whose number is at least n, or nil.
func (c *catalog) from(n uint64) *segment {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := c.index(n); i < len(c.list) {
		return c.list[i]
	}
	return nil
}

// get returns segment n, or nil.
func (c *catalog) get(n uint64) *segment {
	if s := c.from(n); s != nil && s.number == n {
		return s
	}
	return nil
}

// index finds the place of the first segment whose number is at least n. c.mu is held.
func (c *catalog) index(n uint64) int {
	return sort.Search(len(c.list), func(i int) bool { return c.list[i].number >= n })
}

// body finds where the log's body block lies: its segment, 0 when that is gone, and its number there.
func (c *catalog) body(block uint64) (segment uint64, number uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := sort.Search(len(c.list), func(i int) bool { return c.list[i].firstBody > block }) - 1
	if i < 0 {
		return 0, 0
	}
	return c.list[i].number, uint32(block - c.list[i].firstBody)
}

// oldest returns the number of the oldest segment, 0 when there is none.
func (c *catalog) oldest() uint64 {
	if s := c.from(0); s != nil {
		return s.number
	}
	return 0
}

// last returns the number of the newest segment, 0 when there is none.
func (c *catalog) last() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.list) == 0 {
		return 0
	}
	return c.list[len(c.list)-1].number
}

// all returns the segments as they are now.
func (c *catalog) all() []*segment {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.list)
}

// bytes returns the disk space of all segments, and of one that was made ahead.
func (c *catalog) bytes() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.spare.Load()
	for _, s := range c.list {
		n += s.disk[0] + s.disk[1]
	}
	return n
}

// set changes what the catalog's mutex guards.
func (c *catalog) set(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

// view reads what the catalog's mutex guards of s.
func (c *catalog) view(s *segment) (v segmentView) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return segmentView{s.newest, s.bodiesGone, s.packed, s.generation, s.disk[0] + s.disk[1], s.deletes, s.clean}
}

// segmentView is a copy of what can change of a segment.
type segmentView struct {
	newest     int64
	bodiesGone bool
	packed     bool
	generation int
	bytes      int64
	deletes    bool
	clean      Pos
}

// replace puts the temporary file beside path in its place.
func (c *catalog) replace(s *segment, kind blockKind, path string, size int64) error {
	c.swap.Lock()
	defer c.swap.Unlock()
	if err := os.Rename(path+tempSuffix, path); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.generation++
	s.disk[kind] = size
	// Its bytes tell the end, as they do for who still reads the former file.
	if kind == kindRows {
		s.rowsEnd.Store(unknownEnd)
	} else {
		s.bodiesEnd.Store(unknownEnd)
	}
	return nil
}

// openBodies opens the bodies file of segment n. The generation tells a replaced file from the one
// before it.
func (c *catalog) openBodies(n uint64) (*os.File, *segment, int, error) {
	c.swap.RLock()
	defer c.swap.RUnlock()
	s := c.get(n)
	if s == nil {
		return nil, nil, 0, errNoBlock
	}
	v := c.view(s)
	if v.bodiesGone {
		return nil, nil, 0, errNoBlock
	}
	f, err := os.Open(segmentPath(c.dir, n, bodiesSuffix))
	return f, s, v.generation, err
}

// drop removes s and its files, the rows file last, so that what is half removed is found again.
func (c *catalog) drop(s *segment) error {
	if err := c.dropBodies(s); err != nil {
		return err
	}
	if err := os.Remove(segmentPath(c.dir, s.number, rowsSuffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := c.index(s.number); i < len(c.list) && c.list[i] == s {
		c.list = slices.Delete(c.list, i, i+1)
	}
	return nil
}

// dropBodies removes s's bodies file.
func (c *catalog) dropBodies(s *segment) error {
	if err := os.Remove(segmentPath(c.dir, s.number, bodiesSuffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	c.set(func() { s.bodiesGone, s.disk[1] = true, 0 })
	return nil
}
