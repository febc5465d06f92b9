package testdb

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// initializeTimeout bounds the making of a data directory, which takes about half a second.
const initializeTimeout = 2 * time.Minute

// openTemplate returns an archive of the engine's freshly initialised data directory, which it makes when no test binary
// has done so before for this version of the server.
//
// It is one file, put in place by a rename: it is there completely or not at all, also when test binaries race for it,
// when one is killed half-way, and when the system cleans its temporary folder.
func (w *workspace) openTemplate(e engine) (_ *os.File, err error) {
	key, err := templateKey(e)
	if err != nil {
		return nil, err
	}
	name := filepath.Join(w.root, e.name()+"-"+key+".tar")
	if f, err := os.Open(name); err == nil {
		return f, nil
	}
	gate, err := openLocked(name+".lock", true)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, gate.Close()) }()
	if f, err := os.Open(name); err == nil {
		return f, nil // another test binary was faster
	}
	if err := w.buildTemplate(e, name); err != nil {
		return nil, fmt.Errorf("initialise a %s data directory: %w", e.name(), err)
	}
	return os.Open(name)
}

// buildTemplate initialises a data directory and packs it into the named archive.
func (w *workspace) buildTemplate(e engine, name string) (err error) {
	dir, err := w.serverDir(e.name()+"-template", e.account())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	data := filepath.Join(dir, "data")
	if err := e.account().mkdir(data); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), initializeTimeout)
	defer cancel()
	if err := e.initialize(ctx, dir, data); err != nil {
		return err
	}
	f, err := os.CreateTemp(w.run, "template-")
	if err != nil {
		return err
	}
	if err := errors.Join(pack(f, data), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// templateKey names what a template depends on: the very server program and the way it is initialised.
func templateKey(e engine) (string, error) {
	info, err := os.Stat(e.program())
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(fmt.Append(nil, e.program(), info.Size(), info.ModTime(), e.account(), e.recipe()))
	return fmt.Sprintf("%x", sum[:6]), nil
}

// pack writes the folders and files under dir, with their owners, as a tar archive.
func pack(w io.Writer, dir string) error {
	archive := tar.NewWriter(w)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if !info.IsDir() && !info.Mode().IsRegular() {
			return fmt.Errorf("%s is neither a file nor a folder", path)
		}
		header, err := tar.FileInfoHeader(info, "")
		if err != nil {
			return err
		}
		if header.Name, err = filepath.Rel(dir, path); err != nil {
			return err
		}
		if err := archive.WriteHeader(header); err != nil || info.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		_, err = io.Copy(archive, f)
		return errors.Join(err, f.Close())
	})
	return errors.Join(err, archive.Close())
}

// unpack makes dir from an archive written by pack. Everything in it belongs to the account.
func unpack(r io.Reader, dir string, a account) (err error) {
	if err := a.mkdir(dir); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	archive := tar.NewReader(r)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := unpackOne(root, archive, header); err != nil {
			return err
		}
		if !a.other {
			continue
		}
		if err := root.Chown(header.Name, a.uid, a.gid); err != nil {
			return err
		}
	}
}

func unpackOne(root *os.Root, archive io.Reader, header *tar.Header) error {
	mode := header.FileInfo().Mode().Perm()
	if header.Typeflag == tar.TypeDir {
		return root.Mkdir(header.Name, mode)
	}
	f, err := root.OpenFile(header.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, archive)
	return errors.Join(err, f.Close())
}
