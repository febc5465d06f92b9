package batch

import (
	"encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// entriesOf reads the records of a file from a place on.
func entriesOf(path string, o CSVOptions, from place) (all []entry[Record], err error) {
	in, err := openInput(path)
	if err != nil {
		return nil, err
	}
	defer in.close()
	r, err := o.read(in, from)
	for err == nil {
		var e entry[Record]
		if e, err = r.next(); err == nil {
			all = append(all, e)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return all, err
}

// FuzzCSV_ResumesAtEachPlace says that the records behind a record are the same whether the file is read from there or from its beginning, and
// that they are those of encoding/csv.
func FuzzCSV_ResumesAtEachPlace(f *testing.F) {
	for _, text := range []string{
		"id,name\n1,a\n2,b", "\xEF\xBB\xBFa\r\n\r\nb\r\n", "a,b\n1\n\"x\ny\",2\n3,\"q\"\"\"\n#c\n4,5\n", "a\n\"x\ny", "a\nb\"c\n\"d\" e\nf\n", "a,b\n1,2\r\r\n\"\r\n\",3\r",
	} {
		f.Add(text, false, false, false)
		f.Add(text, true, true, true)
	}
	f.Fuzz(func(t *testing.T, text string, noHeader, lazy, comments bool) {
		o := CSVOptions{NoHeader: noHeader, LazyQuotes: lazy}
		if comments {
			o.Comment = '#'
		}
		path := filepath.Join(t.TempDir(), "in.csv")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		all, err := entriesOf(path, o, place{line: 1})
		if err != nil {
			return // no CSV: there is no record whose place could be wrong
		}
		for i, e := range all {
			at, err := placeOf(e.end)
			if err != nil {
				t.Fatal(err)
			}
			if want := int64(strings.Count(text[:at.offset], "\n")) + 1; at.line != want && at.offset < int64(len(text)) {
				t.Errorf("%q: record %d ends at byte %d, which is in line %d and not %d", text, i, at.offset, want, at.line)
			}
			rest, err := entriesOf(path, o, at)
			if err != nil {
				t.Fatalf("%q: from record %d on: %v", text, i, err)
			}
			same := slices.EqualFunc(all[i+1:], rest, func(a, b entry[Record]) bool {
				return a.key.Equal(b.key) && a.end.Equal(b.end) && a.item.Line == b.item.Line && slices.Equal(a.item.Fields, b.item.Fields) &&
					(a.bad == nil) == (b.bad == nil) && (a.bad == nil || a.bad.Error() == b.bad.Error()) && a.raw == b.raw
			})
			if !same {
				t.Fatalf("%q: behind record %d:\n%v\nbut from there on:\n%v", text, i, all[i+1:], rest)
			}
		}
		compareWithPlain(t, text, o, all)
	})
}

// compareWithPlain reads the text with encoding/csv alone.
func compareWithPlain(t *testing.T, text string, o CSVOptions, all []entry[Record]) {
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\xEF\xBB\xBF")))
	r.FieldsPerRecord, r.LazyQuotes, r.Comment = -1, o.LazyQuotes, o.Comment
	if !o.NoHeader {
		if _, err := r.Read(); err != nil {
			return
		}
	}
	for i, e := range all {
		fields, err := r.Read()
		switch {
		case err == nil && !slices.Equal(fields, e.item.Fields):
			t.Errorf("%q: record %d is %q, and encoding/csv reads %q", text, i, e.item.Fields, fields)
		case (err != nil) != (e.bad != nil && !errors.Is(e.bad, csv.ErrFieldCount)):
			t.Errorf("%q: record %d has the error %v, and encoding/csv has %v", text, i, e.bad, err)
		}
	}
	if _, err := r.Read(); !errors.Is(err, io.EOF) {
		t.Errorf("%q: encoding/csv reads on after %d records: %v", text, len(all), err)
	}
}

// TestSeq_SettleRefusesAMalformedItem says what happens where the attempt after the one that failed with a malformed item is not the one that
// sets it aside: Process may see the item, but nothing of it is kept.
func TestSeq_SettleRefusesAMalformedItem(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.csv")
	if err := os.WriteFile(path, []byte("a,b\n1\n2,3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := CSV(path, CSVOptions{}).source.(*fileSource[Record])
	defer s.close()
	p, err := s.plan(t.Context(), nil, planOptions{parts: 1})
	if err != nil {
		t.Fatal(err)
	}
	sh := &shard{Shard: p.shards[0]}
	if err := s.prepare(t.Context(), nil, sh, 10); err != nil {
		t.Fatal(err)
	}
	w := &work{shard: sh}
	if w.page, err = s.read(t.Context(), nil, sh, 10); !errors.Is(err, csv.ErrFieldCount) || w.page.n != 1 {
		t.Fatalf("read gave %v and %d rows", err, w.page.n)
	}
	if w.page, err = s.read(t.Context(), nil, sh, 10); err != nil || w.page.n != 1 {
		t.Fatalf("reading it again gave %v and %d rows", err, w.page.n)
	}
	if err := s.settle(t.Context(), w); !errors.Is(err, csv.ErrFieldCount) {
		t.Errorf("settle gave %v", err)
	}
	if err := s.reject(t.Context(), w, nil); err != nil {
		t.Errorf("reject gave %v", err)
	}
	sh.Reached = w.page.end
	if err := s.prepare(t.Context(), nil, sh, 10); err != nil {
		t.Fatal(err)
	}
	if w.page, err = s.read(t.Context(), nil, sh, 10); err != nil || w.page.n != 1 || s.settle(t.Context(), w) != nil {
		t.Errorf("the next record: %v and %d rows", err, w.page.n)
	}
}
