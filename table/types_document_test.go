package table_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/table"
)

type typesAddress struct {
	Street string            `json:"street"`
	Lines  []string          `json:"lines,omitempty"`
	Extra  map[string]any    `json:"extra,omitempty"`
	Phones map[string]string `json:"phones,omitempty"`
}

// typesDocuments has fields that are stored as JSON.
type typesDocuments struct {
	ID      int64          `db:"id,pk,auto"`
	Struct  typesAddress   `db:"a,json"`
	Pointer *typesAddress  `db:"b,json"`
	Map     map[string]any `db:"c,json"`
	Slice   []int          `db:"d,json"`
	Text    string         `db:"e,json"`
	Any     any            `db:"f,json"`
	Raw     json.RawMessage
}

var typesSampleDocuments = []typesDocuments{
	{Struct: typesAddress{Street: "Main"}, Text: "plain"},
	{
		Struct:  typesAddress{Street: `it's "so" \ é😀` + "\n\x01", Lines: []string{"a", "b,c"}, Phones: map[string]string{"home": "1"}},
		Pointer: &typesAddress{Street: "x", Extra: map[string]any{"n": 1.5, "nested": map[string]any{"k": []any{true, nil}}}},
		Map:     map[string]any{"k": "v", "": "empty", "<&>": "html"}, Slice: []int{1, 2, 3}, Text: `"quoted"`, Any: []any{"x", 2.0}, Raw: json.RawMessage(`{"a": [1, null]}`),
	},
	{Struct: typesAddress{}, Pointer: &typesAddress{}, Map: map[string]any{}, Slice: []int{}, Text: "", Any: "text", Raw: json.RawMessage(`"text"`)},
}

func TestTypes_Documents(t *testing.T) {
	typesEach(t, func(t *testing.T, w *typesWorld) {
		for _, columns := range []typesSQL{{"jsonb", "json", "text"}, {"json", "longtext", "json"}, {"text", "text", "blob"}} {
			document := columns.of(w)
			t.Run(document, func(t *testing.T) {
				id := typesID.of(w)
				name := "documents_" + document
				w.exec(t, "CREATE TABLE "+name+" (id "+id+" PRIMARY KEY, a "+document+" NOT NULL, b "+document+", c "+document+", d "+document+", e "+document+", f "+document+", raw "+document+")")
				rows := table.Of[typesDocuments](w.DB, table.Name(name))
				for way, write := range typesDocumentWrites {
					if _, err := rows.Delete(t.Context()); err != nil {
						t.Fatal(err)
					}
					if err := write(t, rows); err != nil {
						t.Errorf("%s: %v", way, err)
						continue
					}
					typesSameDocuments(t, way, rows)
				}
			})
		}
	})
}

var typesDocumentWrites = map[string]func(*testing.T, table.Table[typesDocuments]) error{
	"create": func(t *testing.T, rows table.Table[typesDocuments]) error {
		_, err := rows.BulkCreate(t.Context(), typesNumbered(typesSampleDocuments))
		return err
	},
	"copy": func(t *testing.T, rows table.Table[typesDocuments]) error {
		_, err := rows.BulkCreate(t.Context(), typesNumbered(typesSampleDocuments), table.NoReadBack())
		return err
	},
	"one by one": func(t *testing.T, rows table.Table[typesDocuments]) error {
		for _, row := range typesNumbered(typesSampleDocuments) {
			if err := rows.Create(t.Context(), &row); err != nil {
				return err
			}
		}
		return nil
	},
	"update": func(t *testing.T, rows table.Table[typesDocuments]) error {
		given := typesNumbered(typesSampleDocuments)
		if _, err := rows.BulkCreate(t.Context(), []typesDocuments{{ID: 1}, {ID: 2}, {ID: 3}}); err != nil {
			return err
		}
		_, err := rows.BulkUpdate(t.Context(), given, "a", "b", "c", "d", "e", "f", "raw")
		return err
	},
	"upsert": func(t *testing.T, rows table.Table[typesDocuments]) error {
		if _, err := rows.BulkCreate(t.Context(), []typesDocuments{{ID: 2}}); err != nil {
			return err
		}
		_, err := rows.Upsert(t.Context(), typesNumbered(typesSampleDocuments), []string{"id"})
		return err
	},
	"set": func(t *testing.T, rows table.Table[typesDocuments]) error {
		for _, row := range typesNumbered(typesSampleDocuments) {
			if err := rows.Create(t.Context(), &typesDocuments{ID: row.ID}); err != nil {
				return err
			}
			set := table.Set{"a": row.Struct, "b": row.Pointer, "c": row.Map, "d": row.Slice, "e": row.Text, "f": row.Any, "raw": row.Raw}
			if _, err := rows.Where("id = ?", row.ID).Update(t.Context(), set); err != nil {
				return err
			}
		}
		return nil
	},
}

func typesNumbered(rows []typesDocuments) []typesDocuments {
	numbered := append([]typesDocuments(nil), rows...)
	for i := range numbered {
		numbered[i].ID = int64(i + 1)
	}
	return numbered
}

// typesSameDocuments reads the documents in every way.
func typesSameDocuments(t *testing.T, write string, rows table.Table[typesDocuments]) {
	t.Helper()
	sameRaw := cmp.Comparer(func(a, b json.RawMessage) bool {
		var x, y any
		return a == nil && b == nil || json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
	})
	compare := func(way string, got []typesDocuments, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s, %s: %v", write, way, err)
		} else if diff := cmp.Diff(typesNumbered(typesSampleDocuments), got, sameRaw); diff != "" {
			t.Errorf("%s, %s (-want +got):\n%s", write, way, diff)
		}
	}
	got, err := rows.OrderBy("id").List(t.Context())
	compare("list", got, err)
	for way, opt := range map[string]table.StreamOption{"by key": table.ByKey(), "cursor": table.Cursor(), "direct": table.Direct()} {
		got, err := propCollect(rows.OrderBy("id").All(t.Context(), opt))
		compare(way, got, err)
	}
	if n, err := rows.Where("b IS NULL AND c IS NULL AND d IS NULL AND f IS NULL AND raw IS NULL").Count(t.Context()); n != 1 || err != nil {
		t.Errorf("%s: %d rows with nil fields as NULL, %v", write, n, err)
	}
}

// typesBase is embedded.
type typesBase struct {
	ID      int64 `db:"id,pk,auto"`
	Version int32 `db:"version,omitzero"`
}

type typesEmbedding struct {
	typesBase
	Name string
}

// typesBun and typesGorm are models of other libraries.
type typesBunModel struct {
	base struct{}            `bun:"table:typed_models,alias:m"`
	ID   int64               `bun:"id,pk,autoincrement"`
	Name string              `bun:",notnull"`
	Ver  int32               `bun:"version,nullzero,default:7"`
	Rel  *struct{ ID int64 } `bun:"rel:belongs-to,join:rel_id=id"`
}

type typesGormModel struct {
	ID      uint                 `gorm:"primaryKey"`
	Label   string               `gorm:"column:name;size:40"`
	Version int32                `gorm:"default:7"`
	Parts   []struct{ ID int64 } `gorm:"foreignKey:ModelID"`
	Ignored string               `gorm:"-"`
}

func (typesGormModel) TableName() string { return "typed_models" }

func TestTypes_ModelsOfOtherLibraries(t *testing.T) {
	_ = typesBunModel{}.base
	typesEach(t, func(t *testing.T, w *typesWorld) {
		id := typesID.of(w)
		w.exec(t, "CREATE TABLE typed_models (id "+id+" PRIMARY KEY, version integer NOT NULL DEFAULT 7, name varchar(40) NOT NULL)")
		w.exec(t, "CREATE TABLE types_embedding (id "+id+" PRIMARY KEY, version integer NOT NULL DEFAULT 7, name varchar(40) NOT NULL)")
		typesModel(t, w, []typesEmbedding{{Name: "a"}, {Name: "b"}}, func(r *typesEmbedding) (int64, *string, int32) { return r.ID, &r.Name, r.Version })
		typesModel(t, w, []typesBunModel{{Name: "a"}, {Name: "b"}}, func(r *typesBunModel) (int64, *string, int32) { return r.ID, &r.Name, r.Ver })
		typesModel(t, w, []typesGormModel{{Label: "a"}, {Label: "b"}}, func(r *typesGormModel) (int64, *string, int32) { return int64(r.ID), &r.Label, r.Version })
	})
}

// typesModel adds, updates, reads and deletes two rows of a model.
func typesModel[M any](t *testing.T, w *typesWorld, rows []M, parts func(*M) (int64, *string, int32)) {
	t.Helper()
	ctx, models := t.Context(), table.Of[M](w.DB)
	if n, err := models.BulkCreate(ctx, rows); n != 2 || err != nil {
		t.Fatalf("%T: %d created, %v", rows[0], n, err)
	}
	for i := range rows {
		if id, name, version := parts(&rows[i]); id == 0 || version != 7 {
			t.Errorf("%T: row %d has the key %d, the name %s and the version %d", rows[0], i, id, *name, version)
		} else {
			*name += "!"
		}
	}
	if n, err := models.BulkUpdate(ctx, rows, "name"); n != 2 || err != nil {
		t.Errorf("%T: %d updated, %v", rows[0], n, err)
	}
	list, err := models.OrderBy("id").List(ctx)
	if err != nil || len(list) != 2 {
		t.Fatalf("%T: %d rows, %v", rows[0], len(list), err)
	}
	if _, name, _ := parts(&list[1]); *name != "b!" {
		t.Errorf("%T: the name is %s", rows[0], *name)
	}
	if n, err := models.BulkDelete(ctx, list); n != 2 || err != nil {
		t.Errorf("%T: %d deleted, %v", rows[0], n, err)
	}
}
