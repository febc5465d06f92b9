package command

import (
	"context"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/rowimage"
)

// begunWithUndo refuses to go on with a run whose command must tell which rows it makes, and does not know of it.
func begunWithUndo(p *batch.Prepared) error {
	return drover.Exit(drover.ExitUsage, "run %s was begun with --undo", batch.Short(p.Plan().RunID)).Try("the same command with --undo goes on with it")
}

// creating is what a command that writes rows needs to know of them for an undo.
type creating struct {
	conn   *db.DB
	table  string // in SQL
	images *rowimage.Table
	// upsert says that rows may be there before.
	upsert bool
}

// tellCreated calls write, and tells the batch which of the rows of keys it has made. They are known by the keys that the database has: where the rows come
// from, they may be written otherwise.
func tellCreated[T any](ctx context.Context, b *batch.Batch[T], c creating, keys []keyset.Values, write func() error) error {
	before := map[string]bool{}
	read := func(tell func(key keyset.Values)) error {
		rows, err := c.images.ReadKeys(ctx, c.conn, keys, true)
		for _, row := range rows {
			tell(row.Key)
		}
		return err
	}
	if c.upsert {
		if err := read(func(key keyset.Values) { before[key.String()] = true }); err != nil {
			return err
		}
	}
	if err := write(); err != nil {
		return err
	}
	return read(func(key keyset.Values) {
		if text := key.String(); !before[text] {
			before[text] = true
			b.Created(c.table, key)
		}
	})
}
