// Package model writes the Go struct of a table, with the tags that package table reads, or those of bun or GORM.
//
//	src, err := model.Source(model.Options{Package: "app"}, conn.Dialect(), tables)
package model

import (
	"bytes"
	"fmt"
	"go/format"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/drover-dev/drover/internal/dialect"
)

// The kinds of tags.
const (
	TagsDB   = "db"
	TagsBun  = "bun"
	TagsGorm = "gorm"
)

// Tags lists the kinds of tags, the default first.
func Tags() []string { return []string{TagsDB, TagsBun, TagsGorm} }

// Options says what the file is to be like.
type Options struct {
	Package string // the package's name
	Tags    string // one of [Tags]
}

// Table is a table, and the name by which the program is to call it.
type Table struct {
	*dialect.Table
	Called string
}

// Source returns a formatted Go file with a struct for each table, in the order given.
func Source(o Options, types dialect.Types, tables []Table) ([]byte, error) {
	w := writer{tags: o.Tags, types: types, imports: map[string]bool{}}
	structs := namer{}
	for _, t := range tables {
		w.table(t, structs.name(t.Name))
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "package %s\n\n", o.Package)
	for _, path := range slices.Sorted(maps.Keys(w.imports)) {
		fmt.Fprintf(&b, "import %q\n", path)
	}
	b.Write(w.body.Bytes())
	source, err := format.Source(b.Bytes())
	if err != nil {
		return nil, fmt.Errorf("format the structs: %w", err)
	}
	return source, nil
}

type writer struct {
	tags    string
	types   dialect.Types
	imports map[string]bool
	body    bytes.Buffer
}

func (w *writer) table(t Table, name string) {
	fmt.Fprintf(&w.body, "\n// %s is a row of the table %s.\n", name, oneLine(t.FullName()))
	var key []string
	switch {
	case t.View:
		w.body.WriteString("// It is a view: its rows have no key.\n")
	case len(t.Keys) == 0:
		w.body.WriteString("// The table has no primary key and no unique key without NULLs: its rows can be inserted and read, but not updated one by one.\n")
	default:
		key = t.Keys[0].Columns
	}
	fmt.Fprintf(&w.body, "type %s struct {\n", name)
	fields := namer{"TableName": true} // the method's
	if w.tags == TagsBun {
		w.imports["github.com/uptrace/bun"] = true
		fmt.Fprintf(&w.body, "\tbun.BaseModel %s\n\n", literal(fmt.Sprintf("bun:%q", "table:"+t.Called)))
		fields["BaseModel"] = true
	}
	for _, c := range t.Columns {
		w.column(c, key, fields)
	}
	w.body.WriteString("}\n")
	if w.tags != TagsBun {
		fmt.Fprintf(&w.body, "\n// TableName is the table's name.\nfunc (%s) TableName() string { return %q }\n", name, t.Called)
	}
}

func (w *writer) column(c dialect.Column, key []string, fields namer) {
	if c.Name == "-" || strings.ContainsAny(c.Name, ",;:\\") {
		fmt.Fprintf(&w.body, "\t// The column %s is left out: a tag cannot hold its name.\n", strconv.Quote(c.Name))
		return
	}
	typ := w.types.Type(c)
	goType := w.goType(c, typ)
	tag := w.tag(c, typ, slices.Contains(key, c.Name), (c.Auto || c.Sequence) && len(key) == 1 && key[0] == c.Name)
	if typ.Class == dialect.Text && !c.Nullable && typ.Length > 0 && !c.Generated {
		tag += fmt.Sprintf(" validate:%q", "required,max="+strconv.Itoa(typ.Length))
	}
	declared := oneLine(c.Type)
	if declared == "" {
		declared = "without a type"
	}
	fmt.Fprintf(&w.body, "\t%s %s %s // %s\n", fields.name(c.Name), goType, literal(tag), declared)
}

func (w *writer) tag(c dialect.Column, typ dialect.Type, key, auto bool) string {
	words := []string{c.Name}
	add := func(when bool, word string) {
		if when {
			words = append(words, word)
		}
	}
	separator := ","
	switch w.tags {
	case TagsBun:
		add(key, "pk")
		add(auto, "autoincrement")
		add(c.Generated, "scanonly")
		add(typ.Class == dialect.JSON, "type:json")
	case TagsGorm:
		separator = ";"
		words[0] = "column:" + c.Name
		add(key, "primaryKey")
		add(key && !auto, "autoIncrement:false")
		add(auto, "autoIncrement")
		add(c.Generated, "->")
		add(typ.Class == dialect.JSON, "serializer:json")
	default:
		add(key, "pk")
		add(auto, "auto")
		add(c.Generated, "generated")
		add(typ.Class == dialect.JSON, "json")
	}
	return fmt.Sprintf("%s:%s", w.tags, strconv.Quote(strings.Join(words, separator)))
}

// arrays are the elements of PostgreSQL's arrays that package table reads into slices.
var arrays = map[string]string{
	"smallint[]": "[]int16", "integer[]": "[]int32", "bigint[]": "[]int64", "text[]": "[]string", "character varying[]": "[]string",
	"boolean[]": "[]bool", "double precision[]": "[]float64",
}

// goType is the field's type. Decimals and times of day are text, which keeps every digit; NULL is a nil pointer.
func (w *writer) goType(c dialect.Column, typ dialect.Type) string {
	name := "string"
	switch typ.Class {
	case dialect.Integer:
		name = integer(typ)
	case dialect.Float:
		name = "float64"
		if typ.Single {
			name = "float32"
		}
	case dialect.Boolean:
		name = "bool"
	case dialect.Bytes:
		name = "[]byte"
	case dialect.Date, dialect.Timestamp:
		w.imports["time"] = true
		name = "time.Time"
	case dialect.JSON:
		w.imports["encoding/json"] = true
		name = "json.RawMessage"
	case dialect.Opaque:
		if slice, ok := arrays[c.Type]; ok {
			name = slice
		}
	}
	if c.Nullable {
		return "*" + name
	}
	return name
}

// integer is the smallest Go type that holds every value.
func integer(typ dialect.Type) string {
	for _, bits := range []int{8, 16, 32, 64} {
		for _, unsigned := range []bool{false, true} {
			size := dialect.IntegerType(bits, unsigned)
			if typ.Min >= size.Min && typ.Max <= size.Max {
				if unsigned {
					return fmt.Sprintf("uint%d", bits)
				}
				return fmt.Sprintf("int%d", bits)
			}
		}
	}
	return "int64"
}

// literal writes a tag as Go source does: between backquotes where that can be.
func literal(tag string) string {
	if strconv.CanBackquote(tag) {
		return "`" + tag + "`"
	}
	return strconv.Quote(tag)
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
