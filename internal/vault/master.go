package vault

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	sluice "github.com/sluicehq/sluice"
)

// Master is where the master key comes from.
type Master struct {
	// Key is the key itself; the zero Secret: it is in File. Where it changes, the new one stands first and
	// the old one behind it.
	Key sluice.Secret
	// File holds the key otherwise. It is made, for its owner alone, when the first provider key is stored.
	File string
}

const maxMasterFile = 64 << 10

// read returns the master keys. fs.ErrNotExist: the file is not there.
func (m Master) read() (masters, error) {
	if !m.Key.IsZero() {
		return parseMasters(m.Key.Reveal())
	}
	f, err := os.Open(m.File)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxMasterFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxMasterFile {
		return nil, fmt.Errorf("%s is no file of master keys", m.File)
	}
	return parseMasters(string(text))
}

// readOrMake is read, and makes the key where there is none.
func (m Master) readOrMake() (masters, error) {
	list, err := m.read()
	if !errors.Is(err, fs.ErrNotExist) {
		return list, err
	}
	list = masters{newKey()}
	return list, m.write(list)
}

// write makes list the content of the file, whole or not at all, and on disk when it returns.
func (m Master) write(list masters) (err error) {
	var text strings.Builder
	text.WriteString("# Seals the stored provider keys. Keep a copy apart from the database: without it they are lost.\n")
	for _, k := range list {
		text.WriteString(k.text() + "\n")
	}
	dir := filepath.Dir(m.File)
	f, err := os.CreateTemp(dir, ".master-*") // for its owner alone
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.WriteString(text.String())
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), m.File); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// place names the source for people.
func (m Master) place() string {
	if !m.Key.IsZero() {
		return "SLUICE_MASTER_KEY"
	}
	return m.File
}

// trouble says what is wrong with the master key, and how to put it right.
func (m Master) trouble(err error) error {
	e := &sluice.Error{Kind: sluice.KindUnavailable, Err: err}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Msg = "the stored provider keys cannot be opened: their master key is missing: " + m.place()
		e.Hint = "put the file back from your backup, or set SLUICE_MASTER_KEY, and restart; if it is lost, remove the stored keys and add them again"
	case errors.Is(err, errOtherKey):
		e.Msg = "the stored provider keys cannot be opened: " + m.place() + " is not the master key that sealed them"
		e.Hint = "bring the right key back and restart; to change it, put the new key first and the old one behind it"
	case errors.Is(err, errDamaged):
		e.Msg = "the stored provider keys cannot be opened: their data key in the database is damaged"
		e.Hint = "restore sluice.db from a backup; or remove the stored keys and add them again"
	case sluice.KindOf(err) == sluice.KindInvalid:
		e.Msg = "the stored provider keys cannot be opened: " + m.place() + " holds no master key"
		e.Hint = "32 bytes in base64, as openssl rand -base64 32 prints them"
	default:
		e.Msg = "the stored provider keys cannot be opened: " + m.place() + " cannot be read"
		e.Hint = "see to it that the server may read and write it"
	}
	return e
}
