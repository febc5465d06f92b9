// Package planfile reads and writes plans that were approved: what a command would do, as a JSON document, bound by a hash to everything that decides it.
//
//	err := planfile.Write("purge.json", &plan)   // 0600, and never half of it
//	…
//	plan, err := planfile.Read("purge.json")     // EditedError when anything in it was changed
//	differences := plan.Differences(&now)
//
// The hash tells an edited file, by mistake or in a hurry, from the one that was written. It is no signature: who means to can compute it anew. That the
// plan is the approved one is for the place to say that it is kept in, a repository with reviews for one.
package planfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// Format is the version of the documents. It grows when a plan says something that an older program must not pass over.
const Format = 1

// docType is the document's type, by which its kind of file is known.
const docType = "drover_plan"

// Plan is the document.
type Plan struct {
	Type    string `json:"type"`
	Format  int    `json:"format"`
	Made    string `json:"made"` // RFC 3339, UTC
	By      string `json:"by"`
	Program string `json:"program"`

	Command   string   `json:"command"`
	Arguments []string `json:"arguments"`
	Options   []Option `json:"options"`  // which say what the work is
	Settings  []Option `json:"settings"` // which say how it is done, and may be given otherwise
	Database  Database `json:"database"`
	Bound     []Fact   `json:"bound"` // what else must be as it was: the SQL, the table
	Kept      []Fact   `json:"kept"`  // what was found then, and counts when the plan is run
	Run       string   `json:"run"`   // the unfinished run that the plan goes on with; "" for a new one
	Rows      *int64   `json:"rows"`  // null where they cannot be counted

	SHA256 string `json:"sha256"`
}

// Option is an option with its values, as they are typed.
type Option struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
}

// Database says where the work is. Its identity must be the same, alias and address need not.
type Database struct {
	Alias    string `json:"alias"`
	Address  string `json:"address"`
	Identity string `json:"identity"`
}

// Fact is something with a name.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Value gives the fact of a name, "" where there is none.
func Value(facts []Fact, name string) string {
	for _, f := range facts {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// ErrNoPlan says that a file is no plan.
var ErrNoPlan = errors.New("the file is no plan of drover's")

// FormatError says that a plan is of another format than [Format].
type FormatError struct{ Format string }

// Error names the format.
func (e *FormatError) Error() string { return "the plan is of format " + e.Format }

// EditedError says that a plan was changed after it was written.
type EditedError struct {
	Written, Now string // the hashes
}

// Error says so.
func (e *EditedError) Error() string { return "the plan was changed after it was written" }

// Read reads a plan. The error is one of the file system, or wraps ErrNoPlan, or is a *FormatError or an *EditedError.
func Read(name string) (*Plan, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the file and what failed
	}
	fields, err := parse(text)
	if err != nil {
		return nil, err
	}
	if format := fmt.Sprint(fields["format"]); format != strconv.Itoa(Format) {
		return nil, &FormatError{format}
	}
	canonical, now, err := sum(fields)
	if err != nil {
		return nil, err
	}
	if written, _ := fields["sha256"].(string); now != written {
		return nil, &EditedError{written, now}
	}
	p := &Plan{}
	if err := json.Unmarshal(canonical, p); err != nil { // what the hash is of, and nothing beside it
		return nil, fmt.Errorf("%w: %w", ErrNoPlan, err)
	}
	p.SHA256 = now
	return p, nil
}

// parse reads the fields of a document that says it is a plan.
func parse(text []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var fields map[string]any
	if err := decoder.Decode(&fields); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoPlan, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows the document", ErrNoPlan)
	}
	if fields["type"] != docType {
		return nil, fmt.Errorf("%w: its type is not %q", ErrNoPlan, docType)
	}
	return fields, nil
}

// sum gives all fields but that of the hash in a form that does not depend on how the file is laid out, sorted by name and without spaces, and its hash.
func sum(fields map[string]any) (text []byte, hash string, err error) {
	all := make(map[string]any, len(fields))
	for name, value := range fields {
		if name != "sha256" {
			all[name] = value
		}
	}
	var canonical bytes.Buffer
	encoder := json.NewEncoder(&canonical)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(all); err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrNoPlan, err)
	}
	text = bytes.TrimSuffix(canonical.Bytes(), []byte("\n"))
	digest := sha256.Sum256(text)
	return text, hex.EncodeToString(digest[:]), nil
}

// Write gives the plan its type, format and hash, and writes it whole or not at all, to be read by its owner only. A plan that is there is replaced, see
// [MayWrite].
func Write(name string, p *Plan) error {
	p.Type, p.Format, p.SHA256 = docType, Format, ""
	text, err := layOut(p)
	if err != nil {
		return err
	}
	fields, err := parse(text)
	if err != nil {
		return err
	}
	if _, p.SHA256, err = sum(fields); err != nil {
		return err
	}
	if text, err = layOut(p); err != nil {
		return err
	}
	if err := MayWrite(name); err != nil {
		return err
	}
	return replace(name, text)
}

// layOut writes a plan as people read it.
func layOut(p *Plan) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // conditions are full of < and >
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(p); err != nil {
		return nil, fmt.Errorf("write the plan: %w", err)
	}
	return text.Bytes(), nil
}

// MayWrite refuses a name that is taken by something else than a plan, or has no folder. Plans are replaced, whoever has made them: that is what a plan
// is made anew for.
func MayWrite(name string) error {
	text, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		_, err = os.Stat(filepath.Dir(name))
		return err //nolint:wrapcheck // it names the folder and what failed
	case err != nil:
		return err //nolint:wrapcheck // as above
	}
	if _, err := parse(text); err != nil {
		return fmt.Errorf("%s is there already: %w", name, err)
	}
	return nil
}

// replace gives a file its name when it is on the disk.
func replace(name string, text []byte) error {
	folder := filepath.Dir(name)
	temp, err := os.CreateTemp(folder, "."+filepath.Base(name)+".*.tmp") // mode 0600
	if err != nil {
		return err //nolint:wrapcheck // it names the file and what failed
	}
	_, err = temp.Write(text)
	if err == nil {
		err = temp.Sync()
	}
	err = errors.Join(err, temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return syncFolder(folder)
}

// syncFolder makes sure that the names in a folder are on the disk.
func syncFolder(name string) error {
	folder, err := os.Open(name)
	if err != nil {
		return err //nolint:wrapcheck // as above
	}
	return errors.Join(folder.Sync(), folder.Close())
}
