package table_test

import (
	"context"
	"log"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/table"
)

// Item is the row type of the examples.
type Item struct {
	ID     int64    `db:"id,pk,auto"`
	SKU    string   `db:"sku"    validate:"required,max=20"`
	Status string   `db:"status" validate:"oneof=new sold obsolete"`
	Views  int64    `db:"views"`
	Score  *float64 `db:"score"`
}

// exampleItems is a database in memory with a table of four items.
func exampleItems(ctx context.Context) (*db.DB, table.Table[Item]) {
	conn, err := db.Open(ctx, "sqlite::memory:")
	if err != nil {
		log.Fatal(err)
	}
	for _, query := range []string{
		`CREATE TABLE item (
			id integer PRIMARY KEY, sku varchar(20) NOT NULL UNIQUE, status varchar(20) NOT NULL, views integer NOT NULL, score real)`,
		`INSERT INTO item (sku, status, views, score) VALUES
			('ant', 'new', 5, 0.5), ('bee', 'sold', 7, NULL), ('crow', 'new', 0, 2), ('deer', 'obsolete', 1, NULL)`,
	} {
		if err := conn.Exec(ctx, query); err != nil {
			log.Fatal(err)
		}
	}
	return conn, table.Of[Item](conn)
}
