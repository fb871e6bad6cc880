package slots

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// maxInMemory is how much of a copy is held in memory, so that writers need not wait for the disk: some 100,000 budgets.
const maxInMemory = 64 << 20

// Copy writes the file of the store into dir as it is at one moment, under its own name. Counts that are in memory
// alone, for lack of a file, are left out.
func (s *Store) Copy(dir string) error { return copyStill(dir, s.whileStill, &s.pool) }

// Copy writes the files of the ledger into dir as they are at one moment, both at the same, under their own names.
// What is in memory alone, for lack of a file, is left out.
func (l *Ledger) Copy(dir string) error { return copyStill(dir, l.whileStill, &l.budgets, &l.holds) }

// image is what a pool's file holds.
type image interface {
	filePath() string // its path; "": there is none
	length() int64
	writeTo(w io.Writer) error
}

// copyStill writes pools' files into dir while nobody writes into slots.
func copyStill(dir string, still func(func()), pools ...image) (err error) {
	var files []*os.File
	defer func() {
		for _, f := range files {
			err = errors.Join(err, f.Close())
		}
	}()
	for _, p := range pools {
		if p.filePath() == "" {
			return nil
		}
		f, err := os.OpenFile(filepath.Join(dir, filepath.Base(p.filePath())), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	memory := make([]bytes.Buffer, len(pools))
	still(func() {
		var length int64
		for _, p := range pools {
			length += p.length()
		}
		for i, p := range pools {
			to := io.Writer(&memory[i])
			if length > maxInMemory {
				to = files[i]
			}
			err = errors.Join(err, p.writeTo(to))
		}
	})
	for i := range memory {
		if err == nil {
			_, err = memory[i].WriteTo(files[i])
		}
	}
	return err
}

func (p *pool[S]) filePath() string { return p.path }

// length is how long a file with all slots is.
func (p *pool[S]) length() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return headerBytes + int64(len(p.chunks))*int64(bytesPerChunk[S]())
}

// writeTo writes what a file with all slots holds.
func (p *pool[S]) writeTo(w io.Writer) error {
	p.mu.Lock()
	chunks := p.chunks
	p.mu.Unlock()
	head := p.header()
	_, err := w.Write(append(head, make([]byte, headerBytes-len(head))...))
	for _, chunk := range chunks {
		if err != nil {
			return err
		}
		_, err = w.Write(bytesOf(chunk))
	}
	return err
}
