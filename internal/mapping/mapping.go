// Package mapping reads which field of a Go struct is which column of a table.
//
// The names are those of the struct's tags. A tag `db` decides; where a field has none, the tags of bun and of GORM are read, so that a
// model that is there already works as it is; a field without any is called by its name in snake case.
//
//	type Item struct {
//		ID     int64    `db:"id,pk,auto"`
//		Name   string   `db:"name"`
//		Labels []string `db:"labels,json"`
//		Cached string   `db:"-"`
//	}
package mapping

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/drover-dev/drover/internal/suggest"
)

// Struct is the mapping of one struct type. It is immutable.
type Struct struct {
	Type    reflect.Type
	Table   string // the table's name by the type; see [Of]
	Columns []Column
	Keys    []int // the columns of the primary key, as indexes into Columns
	byName  map[string]int
}

// Column is one field that is a column.
type Column struct {
	Name  string
	Field string // the field's path, "Address.City"
	Index []int  // as reflect's FieldByIndex takes it
	Type  reflect.Type

	Key       bool // part of the primary key
	Auto      bool // the database makes the value where the field is zero
	Generated bool // the database computes the value always; it is never written
	OmitZero  bool // a zero field is left out of an INSERT, so that the column's default counts
	JSON      bool // stored as a JSON document
}

// Error says why a type cannot be mapped, in a sentence.
type Error struct {
	Type   string // the Go type
	Field  string // empty where the type as a whole is meant
	Reason string
}

// Error returns the sentence.
func (e *Error) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("type %s cannot be a row: %s", e.Type, e.Reason)
	}
	return fmt.Sprintf("field %s of type %s cannot be a column: %s", e.Field, e.Type, e.Reason)
}

var cache sync.Map // reflect.Type → *Struct

// Of returns the mapping of a struct type, or an [*Error]. usable says whether a type can be a column's; it is given the type and
// whether it is stored as JSON, and returns why not in a few words, or "".
//
// The table is called by bun.BaseModel's tag, or by the method TableName, or as the type in snake case. Where no field is marked as
// the primary key, the column id is it, and made by the database where it is an integer.
func Of(t reflect.Type, usable func(t reflect.Type, json bool) string) (*Struct, error) {
	if known, ok := cache.Load(t); ok {
		return known.(*Struct), nil
	}
	if t.Kind() != reflect.Struct {
		return nil, &Error{Type: t.String(), Reason: "it is no struct"}
	}
	r := reader{root: t, usable: usable, s: &Struct{Type: t, byName: map[string]int{}}, foreign: hasForeignTags(t)}
	if err := r.fields(t, nil, "", ""); err != nil {
		return nil, err
	}
	s := r.s
	if len(s.Columns) == 0 {
		return nil, &Error{Type: t.String(), Reason: "it has no exported fields that could be columns"}
	}
	r.implyKey()
	if s.Table == "" {
		s.Table = tableName(t)
	}
	cache.Store(t, s)
	return s, nil
}

// Column returns the index of the column of that name, or -1.
func (s *Struct) Column(name string) int {
	if i, ok := s.byName[name]; ok {
		return i
	}
	return -1
}

// Nearest returns the name of the column that was probably meant, or "".
func (s *Struct) Nearest(name string) string { return suggest.Nearest(name, s.Names()) }

// Names lists the columns' names in the struct's order.
func (s *Struct) Names() []string {
	names := make([]string, len(s.Columns))
	for i, c := range s.Columns {
		names[i] = c.Name
	}
	return names
}

// AutoKey returns the index of the one key column that the database makes, or -1.
func (s *Struct) AutoKey() int {
	for _, i := range s.Keys {
		if s.Columns[i].Auto {
			return i
		}
	}
	return -1
}

// reader is one pass over a struct type.
type reader struct {
	root    reflect.Type
	usable  func(reflect.Type, bool) string
	s       *Struct
	foreign bool // the model of another library: what cannot be a column is a relation
	// autoKeys are the key columns that the database makes where they are the only one and an integer.
	autoKeys []int
}

func (r *reader) fields(t reflect.Type, index []int, path, prefix string) error {
	for i := range t.NumField() {
		f := t.Field(i)
		at := append(slices.Clone(index), i)
		tag, err := readTag(f)
		if err != nil {
			return &Error{Type: r.root.String(), Field: path + f.Name, Reason: err.Error()}
		}
		if tag.table != "" {
			r.s.Table = tag.table
		}
		switch {
		case tag.skip, !f.IsExported() && !f.Anonymous:
			continue
		case r.embedded(f, tag):
			if f.Type.Kind() == reflect.Pointer {
				return &Error{Type: r.root.String(), Field: path + f.Name, Reason: "an embedded pointer may be nil; embed the struct itself"}
			}
			if err := r.fields(f.Type, at, path+f.Name+".", prefix+tag.prefix); err != nil {
				return err
			}
			continue
		case !f.IsExported():
			continue
		}
		if err := r.column(f, at, path, prefix, tag); err != nil {
			return err
		}
	}
	return nil
}

// embedded reports whether the columns of a field's struct are the row's own.
func (r *reader) embedded(f reflect.StructField, tag tag) bool {
	t := f.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || tag.json {
		return false
	}
	return tag.embed || f.Anonymous && tag.name == "" && (r.usable(f.Type, false) != "" || !f.IsExported())
}

func (r *reader) column(f reflect.StructField, index []int, path, prefix string, tag tag) error {
	c := Column{
		Name: prefix + tag.name, Field: path + f.Name, Index: index, Type: f.Type,
		Key: tag.key, Auto: tag.auto, Generated: tag.generated, OmitZero: tag.omitZero, JSON: tag.json,
	}
	if tag.name == "" {
		c.Name = prefix + snake(f.Name)
	}
	if reason := r.usable(f.Type, c.JSON); reason != "" {
		if r.foreign && !tag.own {
			return nil
		}
		return &Error{Type: r.root.String(), Field: c.Field, Reason: reason}
	}
	if other, taken := r.s.byName[c.Name]; taken {
		return &Error{
			Type: r.root.String(), Field: c.Field,
			Reason: fmt.Sprintf("the column %q is the field %s already", c.Name, r.s.Columns[other].Field),
		}
	}
	if c.Generated && c.Key {
		return &Error{Type: r.root.String(), Field: c.Field, Reason: "a computed column cannot be the key by which rows are written; mark the key auto"}
	}
	if c.Key && tag.autoKey {
		r.autoKeys = append(r.autoKeys, len(r.s.Columns))
	}
	r.s.byName[c.Name] = len(r.s.Columns)
	if c.Key {
		r.s.Keys = append(r.s.Keys, len(r.s.Columns))
	}
	r.s.Columns = append(r.s.Columns, c)
	return nil
}

// implyKey makes the column id the key where no other one is. An integer key of one column is then made by the database, as it is where GORM's
// tags mark one.
func (r *reader) implyKey() {
	s := r.s
	if len(s.Keys) == 0 {
		i := s.Column("id")
		if i < 0 || s.Columns[i].Generated {
			return
		}
		s.Columns[i].Key = true
		s.Keys, r.autoKeys = []int{i}, []int{i}
	}
	if len(s.Keys) == 1 && len(r.autoKeys) == 1 {
		c := &s.Columns[s.Keys[0]]
		switch c.Type.Kind() {
		case reflect.Int, reflect.Int64, reflect.Int32, reflect.Int16, reflect.Uint, reflect.Uint64, reflect.Uint32, reflect.Uint16:
			c.Auto = true
		}
	}
}

func tableName(t reflect.Type) string {
	if named, ok := reflect.TypeAssert[interface{ TableName() string }](reflect.New(t)); ok {
		return named.TableName()
	}
	name, _, _ := strings.Cut(t.Name(), "[") // without the arguments of a generic type
	return snake(name)
}
