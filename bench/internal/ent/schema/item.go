// Package schema says to ent what the table bench_item is like. The client beside it is generated from this.
package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
)

// Item is a row of bench_item.
type Item struct{ ent.Schema }

// Annotations names the table.
func (Item) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Annotation{Table: "bench_item"}}
}

// Fields are the columns.
func (Item) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id"),
		field.String("sku").Unique(),
		field.String("name"),
		field.Int32("qty"),
		field.Int64("price_cents"),
		field.Bool("active"),
		field.Int32("category_id"),
		field.Text("note"),
		field.Time("created_at"),
	}
}

// Indexes are those that the benchmark's own DDL makes.
func (Item) Indexes() []ent.Index {
	return []ent.Index{index.Fields("category_id")}
}
