package db_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/drover-dev/drover/db"
)

// An order is taken from one database and put into another, in both or in neither.
func ExampleAtomicAll() {
	ctx := context.Background()
	shop, err := db.Open(ctx, os.Getenv("DATABASE_URL"), db.Alias("shop"))
	if err != nil {
		log.Fatal(err)
	}
	defer shop.Close()
	archive, err := db.Open(ctx, os.Getenv("DATABASE_URL_ARCHIVE"), db.Alias("archive"))
	if err != nil {
		log.Fatal(err)
	}
	defer archive.Close()

	err = db.AtomicAll(ctx, []*db.DB{shop, archive}, func(ctx context.Context) error {
		var total int64
		if err := shop.QueryRow(ctx, "SELECT total FROM orders WHERE id = ? FOR UPDATE", 17).Scan(&total); err != nil {
			return err
		}
		if err := archive.Exec(ctx, "INSERT INTO orders (id, total) VALUES (?, ?)", 17, total); err != nil {
			return err
		}
		return shop.Exec(ctx, "DELETE FROM orders WHERE id = ?", 17)
	}, db.Retry(3))
	var doubt *db.InDoubtError
	switch {
	case errors.Is(err, db.ErrCommitted) && errors.As(err, &doubt):
		fmt.Println("moved; to be finished by drover recover on", doubt.InDoubt)
	case err != nil:
		log.Fatal(err) // nothing is kept, unless errors.Is(err, db.ErrOutcomeUnknown)
	}
}

// What cannot take part says so before anything is written.
func ExampleParticipantError() {
	ctx := context.Background()
	var both []*db.DB
	for _, alias := range []string{"shop", "archive"} {
		conn, err := db.Open(ctx, "sqlite::memory:", db.Alias(alias))
		if err != nil {
			log.Fatal(err)
		}
		defer conn.Close()
		both = append(both, conn)
	}
	err := db.AtomicAll(ctx, both, func(context.Context) error { return nil })
	fmt.Println(err)
	// Output: "shop" cannot take part in AtomicAll: sqlite cannot prepare a transaction
}
