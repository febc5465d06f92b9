package mapping

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"
)

// tag is what the tags of a field say.
type tag struct {
	name      string // empty: the field's own
	table     string // of bun.BaseModel
	prefix    string // of an embedded struct's columns
	own       bool   // the tag db names the field: it must be a column
	skip      bool
	embed     bool
	key       bool
	auto      bool
	generated bool
	omitZero  bool
	json      bool
	// autoKey: an integer key is made by the database although the tag does not say so, unless it says that it is not (GORM).
	autoKey bool
}

// readTag reads the tag db, or else bun's, or else GORM's.
func readTag(f reflect.StructField) (tag, error) {
	if text, ok := f.Tag.Lookup("db"); ok {
		return ownTag(text)
	}
	if text, ok := f.Tag.Lookup("bun"); ok {
		return bunTag(text), nil
	}
	if text, ok := f.Tag.Lookup("gorm"); ok {
		return gormTag(text), nil
	}
	return tag{}, nil
}

func ownTag(text string) (tag, error) {
	name, rest, _ := strings.Cut(text, ",")
	if name == "-" && rest == "" {
		return tag{skip: true}, nil
	}
	t := tag{name: name, own: true}
	for option := range strings.SplitSeq(rest, ",") {
		switch strings.TrimSpace(option) {
		case "":
		case "pk":
			t.key = true
		case "auto":
			t.auto = true
		case "generated":
			t.generated = true
		case "omitzero":
			t.omitZero = true
		case "json":
			t.json = true
		default:
			return tag{}, fmt.Errorf("its tag has the unknown option %q; there are pk, auto, generated, omitzero and json", strings.TrimSpace(option))
		}
	}
	return t, nil
}

// bunTag reads `bun:"name,pk,autoincrement,nullzero,scanonly"` and bun.BaseModel's `bun:"table:name,alias:a"`.
func bunTag(text string) tag {
	name, rest, _ := strings.Cut(text, ",")
	if name == "-" {
		return tag{skip: true}
	}
	t := tag{name: name}
	options := strings.Split(rest, ",")
	if key, value, ok := strings.Cut(name, ":"); ok { // a name is not required to come first
		t.name = ""
		options = append(options, key+":"+value)
	}
	for _, option := range options {
		key, value, _ := strings.Cut(strings.TrimSpace(option), ":")
		switch key {
		case "table":
			t.table = value
		case "rel", "m2m", "join":
			t.skip = true
		case "embed":
			t.embed, t.prefix = true, value
		case "pk":
			t.key = true
		case "autoincrement", "identity":
			t.auto = true
		case "nullzero", "default":
			t.omitZero = t.omitZero || key == "default"
		case "scanonly":
			t.generated = true
		case "type":
			t.json = t.json || strings.HasPrefix(strings.ToLower(value), "json")
		}
	}
	return t
}

// gormTag reads `gorm:"column:name;primaryKey;autoIncrement;embedded;embeddedPrefix:p_;->;serializer:json"`.
func gormTag(text string) tag {
	t := tag{autoKey: true}
	for option := range strings.SplitSeq(text, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(option), ":")
		switch strings.ToLower(key) {
		case "-":
			t.skip = true
		case "column":
			t.name = value
		case "primarykey", "primary_key":
			t.key = !strings.EqualFold(value, "false")
		case "autoincrement":
			t.auto = !strings.EqualFold(value, "false")
			t.autoKey = t.auto
		case "embedded":
			t.embed = true
		case "embeddedprefix":
			t.prefix = value
		case "default":
			t.omitZero = true
		case "->":
			t.generated = !strings.EqualFold(value, "false")
		case "<-":
			t.generated = false
		case "serializer":
			t.json = t.json || strings.EqualFold(value, "json")
		case "foreignkey", "many2many", "references", "polymorphic":
			t.skip = true
		}
	}
	return t
}

// hasForeignTags reports whether t is a model of bun or GORM.
func hasForeignTags(t reflect.Type) bool {
	for f := range t.Fields() {
		_, bun := f.Tag.Lookup("bun")
		_, gorm := f.Tag.Lookup("gorm")
		if bun || gorm || f.Anonymous && f.Type.Kind() == reflect.Struct && hasForeignTags(f.Type) {
			return true
		}
	}
	return false
}

// snake writes a Go name as databases do: UserID is user_id, HTTPServer2 is http_server2.
func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if unicode.IsUpper(r) && i > 0 {
			lowerBefore := !unicode.IsUpper(runes[i-1]) && runes[i-1] != '_'
			lowerAfter := i+1 < len(runes) && unicode.IsLower(runes[i+1]) && runes[i-1] != '_'
			if lowerBefore || lowerAfter {
				b.WriteByte('_')
			}
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
