package datafile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrExists says that there is a file of the name already.
var ErrExists = errors.New("the file is there already")

// ErrLocked says that another process writes the same file or folder.
var ErrLocked = errors.New("another process is writing there")

// Sum counts and sums up the bytes that go to a writer.
type Sum struct {
	out   io.Writer
	hash  hash.Hash
	bytes int64
}

// NewSum returns a writer to out.
func NewSum(out io.Writer) *Sum { return &Sum{out: out, hash: sha256.New()} }

// Write passes p on.
func (s *Sum) Write(p []byte) (int, error) {
	n, err := s.out.Write(p)
	_, _ = s.hash.Write(p[:n]) // a hash does not fail
	s.bytes += int64(n)
	return n, err //nolint:wrapcheck // a writer passes its error on as it is
}

// Bytes is how many bytes were written.
func (s *Sum) Bytes() int64 { return s.bytes }

// SHA256 is the sum of the bytes, in hexadecimal digits.
func (s *Sum) SHA256() string { return hex.EncodeToString(s.hash.Sum(nil)) }

// File is a file that has its name only when it is whole: it is written under a temporary one in the same folder, .NAME.tmp. A process that is killed
// leaves that behind, and the next one replaces it.
type File struct {
	*Sum
	name      string
	overwrite bool
	temp      *os.File
	done      bool
}

// CreateFile begins a file. The error is [ErrExists] where there is one of that name and it must not be overwritten, and [ErrLocked] where another
// process is writing it.
func CreateFile(name string, overwrite bool) (*File, error) {
	if err := MayCreate(name, overwrite); err != nil {
		return nil, err
	}
	temp, err := lockedTemp(filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+".tmp"))
	if err != nil {
		return nil, err
	}
	return &File{Sum: NewSum(temp), name: name, overwrite: overwrite, temp: temp}, nil
}

// MayCreate says why [CreateFile] would refuse a name, as far as that can be seen: it is taken, or has no folder.
func MayCreate(name string, overwrite bool) error {
	switch info, err := os.Stat(name); {
	case errors.Is(err, fs.ErrNotExist):
		_, err = os.Stat(filepath.Dir(name))
		return err
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a folder", name)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no regular file", name)
	case !overwrite:
		return fmt.Errorf("%s: %w", name, ErrExists)
	}
	return nil
}

// lockedTemp opens a temporary file, empty and locked by this process.
func lockedTemp(name string) (*os.File, error) {
	for {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o666)
		if err != nil {
			return nil, err
		}
		if err := Lock(f); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		ours, err := f.Stat()
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		// The process that had it may have renamed or removed it before it gave up the lock.
		if there, err := os.Stat(name); err != nil || !os.SameFile(ours, there) {
			if err := f.Close(); err != nil {
				return nil, err
			}
			continue
		}
		if err := f.Truncate(0); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return f, nil
	}
}

// Commit makes sure that the file is on the disk and gives it its name. In case of an error the file is gone.
func (f *File) Commit() error {
	err := f.temp.Sync()
	if err == nil {
		err = MayCreate(f.name, f.overwrite)
	}
	if err == nil {
		err = os.Rename(f.temp.Name(), f.name)
	}
	if err != nil {
		return errors.Join(err, f.Abort())
	}
	f.done = true
	return errors.Join(SyncFolder(filepath.Dir(f.name)), f.temp.Close())
}

// Abort removes what was written, unless it was committed.
func (f *File) Abort() error {
	if f.done {
		return nil
	}
	f.done = true
	return errors.Join(os.Remove(f.temp.Name()), f.temp.Close())
}

// SyncFolder makes sure that the names in a folder are on the disk.
func SyncFolder(name string) error {
	folder, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// WriteWhole replaces a small file at once.
func WriteWhole(name string, content []byte) error {
	f, err := CreateFile(name, true)
	if err != nil {
		return err
	}
	if _, err := f.Write(content); err != nil {
		return errors.Join(err, f.Abort())
	}
	return f.Commit()
}

// LockFolder keeps other processes from writing to a folder until the lock is closed, or the process ends. The error is [ErrLocked] where one does.
func LockFolder(name string) (io.Closer, error) {
	folder, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	if err := Lock(folder); err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	return folder, nil
}
