package reqlog

import "os"

// files makes the files that are written; tests put failing ones in its place.
type files interface {
	create(path string) (file, error)
	free(dir string) int64 // bytes that can still be written; -1: not known
}

// file is a file that is being written.
type file interface {
	WriteAt(p []byte, off int64) (int, error)
	// Allocate makes room from from to end, so that writes there need no metadata.
	Allocate(from, end int64) error
	Sync() error
	Truncate(size int64) error
	Size() int64 // the disk space it takes
	Close() error
}

// osFiles are real files.
type osFiles struct{}

func (osFiles) create(path string) (file, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFiles) free(dir string) int64 { return diskFree(dir) }

type osFile struct{ *os.File }

func (f osFile) Allocate(from, end int64) error { return preallocate(f.File, from, end) }
func (f osFile) Sync() error                    { return syncData(f.File) }

func (f osFile) Size() int64 {
	info, err := f.Stat()
	if err != nil {
		return 0
	}
	return diskSize(info)
}

// syncDir brings the names in dir to the disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
