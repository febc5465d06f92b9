package table_test

import (
	"context"
	"fmt"
	"log"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/table"
)

// A struct and a database are all that a table needs. What is wrong with a column is told with the name that was probably meant.
func ExampleOf() {
	type Account struct {
		ID    int64  `db:"id,pk,auto"`
		Email string // the column email
	}
	ctx := context.Background()
	conn, err := db.Open(ctx, "sqlite::memory:")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Exec(ctx, "CREATE TABLE account (id integer PRIMARY KEY, email text NOT NULL)"); err != nil {
		log.Fatal(err)
	}

	accounts := table.Of[Account](conn) // the table account; table.Name gives another name
	ann := Account{Email: "ann@example.com"}
	if err := accounts.Create(ctx, &ann); err != nil {
		log.Fatal(err)
	}
	fmt.Println("created with id", ann.ID)

	n, err := accounts.Where("email LIKE ?", "%@example.com").Count(ctx)
	fmt.Println(n, err)

	_, err = accounts.OrderBy("emial").List(ctx)
	fmt.Println(err)
	// Output:
	// created with id 1
	// 1 <nil>
	// table account has no column "emial"
}
