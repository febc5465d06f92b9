package datafile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// jsonReading reads the objects of a file of JSON Lines.
type jsonReading struct {
	*scanner
	in *Input
}

// line finds the next line that is not empty; the error is io.EOF at the end.
func (s *scanner) line() (text []byte, n int, err error) {
	for {
		text, n := lineEnd(s.rest())
		if n == 0 && !s.ended {
			if err := s.fill(); err != nil {
				return nil, 0, err
			}
			continue
		}
		if n == 0 {
			n = len(text)
		}
		switch {
		case n == 0:
			return nil, 0, io.EOF
		case len(bytes.TrimSpace(text)) == 0:
			s.take(n, 1)
		default:
			return trimCR(text), n, nil
		}
	}
}

func (r *jsonReading) next(p *Page) error {
	text, n, err := r.line()
	if err != nil {
		return err
	}
	at := r.at
	r.take(n, 1)
	r.in.addJSON(p, text, at, r.at)
	return nil
}

// Close closes the file.
func (r *jsonReading) Close() error { return r.scanner.in.Close() }

func (in *Input) readJSON(f *file, from Place) (reading, error) {
	s, err := in.scanFrom(f, from)
	if err != nil {
		return nil, err
	}
	return &jsonReading{s, in}, nil
}

var (
	errNoObject = errors.New("the line is no JSON object")
	errNoUTF8   = errors.New("the line is not UTF-8")

	errSurrogate = errors.New(`half a character: \u and the number of a surrogate without the other one`)
)

// members are the names and the values of an object, in their order.
func members(text []byte, each func(name string, value json.RawMessage) error) error {
	if !utf8.Valid(text) { // which the decoder would replace
		return errNoUTF8
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return errNoObject
	}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return fmt.Errorf("%w: %w", errNoObject, err)
		}
		name, _ := token.(string)
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return fmt.Errorf("%w: %w", errNoObject, err)
		}
		if err := each(name, value); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("%w: %w", errNoObject, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something stands behind it", errNoObject)
	}
	return nil
}

// addJSON appends an object as a record of CSV. A member that is not there is NULL.
func (in *Input) addJSON(p *Page, text []byte, at, next Place) {
	p.addRaw(text)
	values := make([]json.RawMessage, len(in.names))
	err := members(text, func(name string, value json.RawMessage) error {
		i, known := in.places[name]
		switch {
		case !known:
			return fmt.Errorf("the file had no member %q when it was measured", name)
		case values[i] != nil:
			return fmt.Errorf("the member %q stands there twice", name)
		}
		values[i] = value
		return nil
	})
	if err != nil {
		p.add(at, next, err)
		return
	}
	for i, value := range values {
		if i > 0 {
			p.data = append(p.data, p.comma)
		}
		field, wrong := jsonField(value, slices.Contains(in.Documents, in.names[i]))
		if wrong != nil && err == nil {
			err = fmt.Errorf("the member %q has %w", in.names[i], wrong)
		}
		p.data = AppendField(p.data, field, p.comma, p.null)
	}
	p.add(at, next, err)
}

// jsonField is the text of a value; nil for null.
func jsonField(value json.RawMessage, document bool) ([]byte, error) {
	switch {
	case value == nil || string(value) == "null":
		return nil, nil
	case value[0] == '"' && !document:
		var text string
		_ = json.Unmarshal(value, &text) // which the decoder has read
		if strings.Count(text, replaced) > bytes.Count(value, []byte(replaced))+strings.Count(strings.ToLower(string(value)), `\ufffd`) {
			return nil, errSurrogate
		}
		return []byte(text), nil
	}
	return value, nil
}

// replaced is what the decoder puts in the place of half a character, as \ud800 without a second one.
const replaced = string(utf8.RuneError)

// measureJSON counts the lines, and finds the names of the members.
func (in *Input) measureJSON(ctx context.Context, f *file) error {
	c, err := f.unpack(in.form.Compression)
	if err != nil {
		return err
	}
	defer c.packer()
	s := newScanner(c)
	if err := s.start(); err != nil {
		return err
	}
	in.begin = s.at
	in.places = map[string]int{}
	for n := 0; ; n++ {
		if n%10_000 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		text, size, err := s.line()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var names []string
		if members(text, func(name string, _ json.RawMessage) error { names = append(names, name); return nil }) == nil {
			for _, name := range names {
				if _, seen := in.places[name]; !seen {
					in.places[name] = len(in.names)
					in.names = append(in.names, name)
				}
			}
		}
		s.take(size, 1)
		in.rows++
	}
}
