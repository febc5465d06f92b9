package mapping_test

import (
	"database/sql"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/internal/mapping"
)

// usable knows enough types for the tests.
func usable(t reflect.Type, json bool) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case json, t == reflect.TypeFor[time.Time](), t == reflect.TypeFor[sql.NullString]():
		return ""
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.String:
		return ""
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return ""
	case t.Kind() >= reflect.Bool && t.Kind() <= reflect.Float64, t.Kind() == reflect.String:
		return ""
	}
	return "it is of no use"
}

// columns writes a mapping in words, one column a line: name field options.
func columns[T any](t *testing.T) []string {
	t.Helper()
	s, err := mapping.Of(reflect.TypeFor[T](), usable)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for i, c := range s.Columns {
		line := c.Name + " " + c.Field
		for _, o := range []struct {
			set  bool
			name string
		}{{c.Key, "pk"}, {c.Auto, "auto"}, {c.Generated, "generated"}, {c.OmitZero, "omitzero"}, {c.JSON, "json"}} {
			if o.set {
				line += " " + o.name
			}
		}
		lines = append(lines, line)
		if s.Column(c.Name) != i {
			t.Errorf("the column %q is found at %d, want %d", c.Name, s.Column(c.Name), i)
		}
		if f := reflect.TypeFor[T]().FieldByIndex(c.Index); f.Type != c.Type || !strings.HasSuffix("."+c.Field, "."+f.Name) {
			t.Errorf("the column %q is the field %s %v, want %s %v", c.Name, f.Name, f.Type, c.Field, c.Type)
		}
	}
	return lines
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the columns (-want +got):\n%s", diff)
	}
}

func tableOf[T any](t *testing.T) string {
	t.Helper()
	s, err := mapping.Of(reflect.TypeFor[T](), usable)
	if err != nil {
		t.Fatal(err)
	}
	return s.Table
}

func TestOf_OwnTags(t *testing.T) {
	type Row struct {
		ID      int64             `db:"id,pk,auto"`
		Tenant  string            `db:"tenant_id,pk"`
		Labels  map[string]string `db:"labels,json"`
		Size    int               `db:",omitzero"`
		Sum     int               `db:"sum, generated"`
		Hidden  chan int          `db:"-"`
		Plain   string            `db:""`
		private string
		Named   time.Time `db:"Mixed Case" bun:"other" gorm:"column:third"`
	}
	_ = Row{}.private
	same(t, columns[Row](t), "id ID pk auto", "tenant_id Tenant pk", "labels Labels json", "size Size omitzero", "sum Sum generated",
		"plain Plain", "Mixed Case Named")
}

func TestOf_Names(t *testing.T) {
	type Row struct {
		UserID, HTTPServer2, A, ABC, Größe, JSONData, OAuth2Token, With_Underscore, X509 string
	}
	same(t, columns[Row](t), "user_id UserID", "http_server2 HTTPServer2", "a A", "abc ABC", "größe Größe", "json_data JSONData",
		"o_auth2_token OAuth2Token", "with_underscore With_Underscore", "x509 X509")
}

// Where no key is marked, the column id is it, and made by the database where it is an integer.
func TestOf_ImpliedKey(t *testing.T) {
	type integer struct{ ID, Other int32 }
	type unsigned struct{ ID uint64 }
	type text struct{ ID, Other string }
	type pointer struct{ ID *int64 }
	type renamed struct {
		Key string `db:"id"`
		ID  int    `db:"number"`
	}
	type none struct{ A, B int }
	type other struct {
		ID   int
		Code string `db:"code,pk"`
	}
	type computed struct {
		ID int `db:"id,generated"`
	}
	same(t, columns[integer](t), "id ID pk auto", "other Other")
	same(t, columns[unsigned](t), "id ID pk auto")
	same(t, columns[text](t), "id ID pk", "other Other")
	same(t, columns[pointer](t), "id ID pk")
	same(t, columns[renamed](t), "id Key pk", "number ID")
	same(t, columns[none](t), "a A", "b B")
	same(t, columns[other](t), "id ID", "code Code pk")
	same(t, columns[computed](t), "id ID generated")
}

type audit struct {
	CreatedAt time.Time
	By        string `db:"created_by"`
}

type Base struct {
	ID int64 `db:"id,pk,auto"`
	audit
}

func TestOf_EmbeddedStructs(t *testing.T) {
	type Row struct {
		Base
		Name string
	}
	type document struct {
		Base `db:"base,json"`
		Code string `db:"code,pk"`
	}
	same(t, columns[Row](t), "id Base.ID pk auto", "created_at Base.audit.CreatedAt", "created_by Base.audit.By", "name Name")
	same(t, columns[document](t), "base Base json", "code Code pk")
}

type bunModel struct{ table string }

func TestOf_BunTags(t *testing.T) {
	type address struct{ City, Street string }
	type Row struct {
		bunModel bunModel  `bun:"table:shop_items,alias:i"`
		ID       int64     `bun:"id,pk,autoincrement"`
		Name     string    `bun:",notnull"`
		Price    string    `bun:"type:numeric(10,2)"`
		Meta     []float64 `bun:"meta,type:jsonb"`
		Updated  time.Time `bun:"updated_at,nullzero,default:current_timestamp"`
		Gone     time.Time `bun:",soft_delete,nullzero"`
		Sum      int       `bun:"sum,scanonly"`
		Owner    *Base     `bun:"rel:belongs-to,join:owner_id=id"`
		Home     address   `bun:"embed:home_"`
		Cached   string    `bun:"-"`
		Untagged bool
	}
	_ = bunModel{}.table
	_ = Row{}.bunModel
	same(t, columns[Row](t), "id ID pk auto", "name Name", "price Price", "meta Meta json", "updated_at Updated omitzero", "gone Gone", "sum Sum generated",
		"home_city Home.City", "home_street Home.Street", "untagged Untagged")
	if name := tableOf[Row](t); name != "shop_items" {
		t.Errorf("the table is %q", name)
	}
}

type gormModel struct {
	ID        uint `gorm:"primarykey"`
	CreatedAt time.Time
}

type gormRow struct {
	gormModel
	Code     string                `gorm:"column:sku;size:40;uniqueIndex"`
	Stock    int                   `gorm:"default:5"`
	Sum      int                   `gorm:"->"`
	Written  int                   `gorm:"<-:create"`
	Doc      any                   `gorm:"serializer:json"`
	Skipped  string                `gorm:"-:all"`
	Parts    []Base                `gorm:"foreignKey:ItemID"`
	Relation Base                  // a relation by GORM's own convention
	Home     struct{ City string } `gorm:"embedded;embeddedPrefix:home_"`
}

func (*gormRow) TableName() string { return "gorm_rows" }

func TestOf_GormTags(t *testing.T) {
	same(t, columns[gormRow](t), "id gormModel.ID pk auto", "created_at gormModel.CreatedAt", "sku Code", "stock Stock omitzero", "sum Sum generated",
		"written Written", "doc Doc json", "home_city Home.City")
	if name := tableOf[gormRow](t); name != "gorm_rows" {
		t.Errorf("the table is %q", name)
	}
}

// GORM's one integer primary key is made by the database unless the tag says otherwise.
func TestOf_GormKeyIsAuto(t *testing.T) {
	type Row struct {
		gormModel
		Name string
	}
	type given struct {
		Code int `gorm:"PRIMARY_KEY;autoIncrement:false"`
	}
	type two struct {
		A int `gorm:"primaryKey"`
		B int `gorm:"primaryKey"`
	}
	type text struct {
		Code string `gorm:"primaryKey"`
	}
	same(t, columns[Row](t), "id gormModel.ID pk auto", "created_at gormModel.CreatedAt", "name Name")
	same(t, columns[given](t), "code Code pk")
	same(t, columns[two](t), "a A pk", "b B pk")
	same(t, columns[text](t), "code Code pk")
}

type OrderLine struct{ ID int }

type valueNamed struct{ ID int }

func (valueNamed) TableName() string { return "app.lines" }

type generic[V any] struct {
	ID int
	V  V
}

func TestOf_TableNames(t *testing.T) {
	for want, got := range map[string]string{
		"order_line": tableOf[OrderLine](t), "app.lines": tableOf[valueNamed](t), "generic": tableOf[generic[time.Time]](t),
	} {
		if got != want {
			t.Errorf("the table is %q, want %q", got, want)
		}
	}
}

func TestOf_Errors(t *testing.T) {
	type unknownOption struct {
		ID int `db:"id,pk,uniqe"`
	}
	type twice struct {
		A int `db:"x"`
		B int `db:"x"`
	}
	type embeddedTwice struct {
		Base
		ID int
	}
	type pointer struct {
		*Base
		Name string
	}
	type useless struct {
		ID  int
		Out chan int
	}
	type usedByTag struct { // a model of another library, but drover's own tag says that it is a column
		ID  int      `bun:"id,pk"`
		Out chan int `db:"out"`
	}
	type computedKey struct {
		ID int `db:"id,pk,generated"`
	}
	type empty struct{ hidden int }
	_ = empty{}.hidden
	tests := []struct {
		name  string
		of    reflect.Type
		field string
		words string
	}{
		{"no struct", reflect.TypeFor[int](), "", "it is no struct"},
		{"pointer to a struct", reflect.TypeFor[*Base](), "", "it is no struct"},
		{"no fields", reflect.TypeFor[empty](), "", "no exported fields"},
		{"unknown option", reflect.TypeFor[unknownOption](), "ID", `unknown option "uniqe"; there are pk, auto, generated, omitzero and json`},
		{"a name twice", reflect.TypeFor[twice](), "B", `the column "x" is the field A already`},
		{"a name twice by embedding", reflect.TypeFor[embeddedTwice](), "ID", `the column "id" is the field Base.ID already`},
		{"embedded pointer", reflect.TypeFor[pointer](), "Base", "embed the struct itself"},
		{"unusable type", reflect.TypeFor[useless](), "Out", "it is of no use"},
		{"unusable type with a tag", reflect.TypeFor[usedByTag](), "Out", "it is of no use"},
		{"computed key", reflect.TypeFor[computedKey](), "ID", "mark the key auto"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 { // the second time from what is remembered, if it is
				s, err := mapping.Of(tt.of, usable)
				own, ok := errors.AsType[*mapping.Error](err)
				if s != nil || !ok || own.Field != tt.field || own.Type != tt.of.String() || !strings.Contains(own.Error(), tt.words) {
					t.Errorf("the error is %v, want one of the field %q with %q", err, tt.field, tt.words)
				}
			}
		})
	}
}

func TestStruct_Lookup(t *testing.T) {
	s, err := mapping.Of(reflect.TypeFor[gormRow](), usable)
	if err != nil {
		t.Fatal(err)
	}
	if s.Column("Stock") != -1 || s.Column("") != -1 || s.Column("stock") != 3 {
		t.Error("a column is found by another name, or not by its own")
	}
	if near := s.Nearest("stok"); near != "stock" {
		t.Errorf("the nearest name is %q", near)
	}
	if near := s.Nearest("quite another"); near != "" {
		t.Errorf("the nearest name is %q, want none", near)
	}
	if len(s.Names()) != len(s.Columns) || s.Names()[2] != "sku" {
		t.Errorf("the names are %v", s.Names())
	}
	if s.AutoKey() != -1 && !s.Columns[s.AutoKey()].Auto {
		t.Errorf("the key that the database makes is %d", s.AutoKey())
	}
	base, err := mapping.Of(reflect.TypeFor[Base](), usable)
	if err != nil || base.AutoKey() != 0 {
		t.Errorf("the key that the database makes is not found, %v", err)
	}
}

// A type is read once, and may be asked for by several goroutines.
func TestOf_Concurrently(t *testing.T) {
	type Row struct{ ID, A, B, C int }
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			s, err := mapping.Of(reflect.TypeFor[Row](), usable)
			if err != nil || len(s.Columns) != 4 || len(s.Keys) != 1 {
				t.Errorf("%+v, %v", s, err)
			}
		})
	}
	group.Wait()
}
