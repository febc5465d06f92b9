package db_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/drover-dev/drover/db"
)

// A position travels as text: here from the request that writes to the one that reads.
func ExampleDB_ReaderAfter() {
	var primary, replica *db.DB // opened with db.Open

	placeOrder := func(w http.ResponseWriter, r *http.Request) {
		err := primary.Atomic(r.Context(), func(ctx context.Context) error {
			return primary.Exec(ctx, "INSERT INTO orders (customer) VALUES (?)", 7)
		})
		if err != nil {
			http.Error(w, "the order was not placed", http.StatusInternalServerError)
			return
		}
		if pos, err := primary.Position(r.Context()); err == nil {
			http.SetCookie(w, &http.Cookie{Name: "written", Value: pos.String()})
		}
	}
	listOrders := func(w http.ResponseWriter, r *http.Request) {
		reader := replica
		if cookie, err := r.Cookie("written"); err == nil {
			pos, _ := db.ParsePosition(cookie.Value) // what is none is read from the primary
			if reader, err = primary.ReaderAfter(r.Context(), replica, pos, db.WaitAtMost(50*time.Millisecond)); err != nil {
				return // the client has gone
			}
		}
		var n int
		if err := reader.QueryRow(r.Context(), "SELECT count(*) FROM orders WHERE customer = ?", 7).Scan(&n); err != nil {
			http.Error(w, "the orders cannot be read", http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, n, "orders")
	}
	http.HandleFunc("POST /orders", placeOrder)
	http.HandleFunc("GET /orders", listOrders)
}

func ExampleParsePosition() {
	pos, err := db.ParsePosition("postgres:7300000000000000000:1:16/B374D848")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(pos)
	_, err = db.ParsePosition("16/B374D848")
	fmt.Println(err)
	// Output:
	// postgres:7300000000000000000:1:16/B374D848
	// "16/B374D848" is not the position of a database
}
