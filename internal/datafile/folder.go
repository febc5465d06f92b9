package datafile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"
)

// manifestName is the file that says what a folder of parts holds.
const manifestName = "manifest.json"

// manifestVersion is that of the fields' meaning. Fields are only added.
const manifestVersion = 1

// Manifest says what a folder of parts holds, and how far it has got. What is done again after a kill is what it does not name.
type Manifest struct {
	Version     int              `json:"version"`
	Database    string           `json:"database"` // its address, without a password
	Table       string           `json:"table"`
	Where       string           `json:"where,omitempty"`
	Limit       int64            `json:"limit,omitempty"`
	Columns     []ManifestColumn `json:"columns"`
	Key         []string         `json:"key"` // the columns that the rows are ordered by
	Format      Format           `json:"format"`
	Compression Compression      `json:"compression,omitempty"`
	Delimiter   string           `json:"delimiter,omitempty"` // of CSV
	Header      bool             `json:"header"`
	Null        string           `json:"null"`
	PartRows    int64            `json:"part_rows"`

	// Through is the last key of the rows when the first part was begun. Rows behind it belong to no part.
	Through json.RawMessage `json:"through,omitempty"`
	// Parts are those that are whole, in the order of their keys. Each shows the database at one moment of its own.
	Parts    []Part `json:"parts"`
	Complete bool   `json:"complete"`
}

// ManifestColumn is a column of the parts, with the type as the database writes it.
type ManifestColumn struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// Part is one file of the folder. A key is a list with a text for each column, which begins with the letter of its kind.
type Part struct {
	Name     string          `json:"name"`
	Rows     int64           `json:"rows"`
	Bytes    int64           `json:"bytes"`
	SHA256   string          `json:"sha256"`
	First    json.RawMessage `json:"first"`
	Last     json.RawMessage `json:"last"`
	Snapshot time.Time       `json:"snapshot"` // when the reading began
}

// Rows is how many rows the parts have together.
func (m *Manifest) Rows() (n int64) {
	for _, p := range m.Parts {
		n += p.Rows
	}
	return n
}

// Bytes is the size of the parts together.
func (m *Manifest) Bytes() (n int64) {
	for _, p := range m.Parts {
		n += p.Bytes
	}
	return n
}

// Differences are the JSON names of what two manifests say otherwise of the rows and of their form, each with both values.
func (m *Manifest) Differences(other *Manifest) (all []string) {
	a, b := reflect.ValueOf(*m), reflect.ValueOf(*other)
	for i := range a.NumField() {
		name, _, _ := strings.Cut(a.Type().Field(i).Tag.Get("json"), ",")
		switch name {
		case "version", "through", "parts", "complete":
			continue
		}
		x, y := a.Field(i).Interface(), b.Field(i).Interface()
		if !reflect.DeepEqual(x, y) {
			all = append(all, fmt.Sprintf("%s: %v there, %v now", name, x, y))
		}
	}
	return all
}

// ReadManifest returns the manifest of a folder, or nil where there is no such folder or it is empty but for temporary files. The error is [ErrExists]
// where it holds other files.
func ReadManifest(folder string) (*Manifest, error) {
	text, err := os.ReadFile(filepath.Join(folder, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, otherFiles(folder)
	}
	if err != nil {
		return nil, err
	}
	m := &Manifest{}
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("%s is not readable: %w", filepath.Join(folder, manifestName), err)
	}
	if m.Version > manifestVersion {
		return nil, fmt.Errorf("%s was written by a later version of drover", filepath.Join(folder, manifestName))
	}
	return m, nil
}

func otherFiles(folder string) error {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") || !strings.HasSuffix(e.Name(), ".tmp") {
			return fmt.Errorf("%s holds %s and no %s: %w", folder, e.Name(), manifestName, ErrExists)
		}
	}
	return nil
}

// Folder is a folder of parts that this process writes.
type Folder struct {
	Manifest
	name   string
	prefix string // of the parts' names
	ending string
	lock   io.Closer
}

// OpenFolder opens the folder of a manifest, which need not be there yet. Parts that the manifest of an earlier process names are kept, if they are
// there with their sizes. The error is [ErrLocked] where another process writes to the folder, and a [*DifferentError] where the parts there are
// others than those that are wanted; with overwrite these are removed first.
func OpenFolder(name, prefix string, want Manifest, overwrite bool) (_ *Folder, err error) {
	if err := os.Mkdir(name, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	f := &Folder{name: name, prefix: prefix, ending: Ending(want.Format, want.Compression)}
	if f.lock, err = LockFolder(name); err != nil {
		return nil, err
	}
	if err := f.take(want, overwrite); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// DifferentError says how the parts that are there differ from those that are wanted.
type DifferentError struct{ Differences []string }

// Error lists the differences.
func (e *DifferentError) Error() string { return strings.Join(e.Differences, "; ") }

// take takes over what there is.
func (f *Folder) take(want Manifest, overwrite bool) error {
	want.Version, want.Parts = manifestVersion, []Part{}
	f.Manifest = want
	there, err := ReadManifest(f.name)
	switch {
	case err != nil || there == nil:
		return err
	case overwrite:
		return f.clear(there)
	}
	if differences := there.Differences(&want); len(differences) > 0 {
		return &DifferentError{differences}
	}
	for _, p := range there.Parts {
		info, err := os.Stat(filepath.Join(f.name, p.Name))
		switch {
		case err != nil:
			return &DifferentError{[]string{fmt.Sprintf("%s is not there (%v)", p.Name, errors.Unwrap(err))}}
		case info.Size() != p.Bytes:
			return &DifferentError{[]string{fmt.Sprintf("%s has %d bytes and not %d", p.Name, info.Size(), p.Bytes)}}
		}
	}
	f.Manifest = *there
	return nil
}

// clear removes the parts of a manifest, and itself last: killed in between, the next process finds what is left to remove.
func (f *Folder) clear(there *Manifest) error {
	for _, p := range there.Parts {
		if err := os.Remove(filepath.Join(f.name, filepath.Base(p.Name))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return errors.Join(os.Remove(filepath.Join(f.name, manifestName)), SyncFolder(f.name))
}

// Close gives the folder up.
func (f *Folder) Close() error { return f.lock.Close() }

// Next is the name of the part that is written next.
func (f *Folder) Next() string { return fmt.Sprintf("%s-%05d%s", f.prefix, len(f.Parts)+1, f.ending) }

// Create begins the next part. One that an earlier process has not recorded is replaced.
func (f *Folder) Create() (*File, error) { return CreateFile(filepath.Join(f.name, f.Next()), true) }

// Record notes the next part, which has its name and is on the disk by now.
func (f *Folder) Record(p Part) error {
	p.Name = f.Next()
	f.Parts = append(f.Parts, p)
	return f.Save()
}

// Finish notes that there are no more parts.
func (f *Folder) Finish() error {
	if err := os.Remove(filepath.Join(f.name, f.Next())); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // of an earlier process, which has not recorded it; its rows are gone
	}
	f.Complete = true
	return f.Save()
}

// Save writes the manifest as it is, at once.
func (f *Folder) Save() error {
	text, err := json.MarshalIndent(&f.Manifest, "", "  ")
	if err != nil {
		return err
	}
	return WriteWhole(filepath.Join(f.name, manifestName), append(text, '\n'))
}
