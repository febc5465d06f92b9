package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/rowimage"
)

// checkArchive reads --archive-to.
func (p *purge) checkArchive() (err error) {
	switch {
	case !p.call.Flags().Changed("archive-to"):
		return nil
	case strings.TrimSpace(p.archiveTo) == "":
		return drover.Exit(drover.ExitUsage, "--archive-to is empty").Try("--archive-to events.jsonl.gz")
	}
	p.archive, err = newArchive(p.archiveTo)
	p.change, p.begin = p.archiveAndDelete, p.openArchive
	p.bind = func(plan *batch.Plan) { plan.Bind("archive", p.archive.path) }
	return err
}

// prepareArchive refuses what cannot be archived batch after batch. The run is known by the file's whole name: from another folder the same words would
// mean another file.
func (p *purge) prepareArchive() (err error) {
	setArgument(p.options.Arguments, "archive-to", p.archive.path)
	switch {
	case p.options.Workers > 1:
		return drover.Exit(drover.ExitUsage, "--archive-to takes one worker: the batches stand in the file in the order in which they are committed").Try("leave --workers out")
	case p.options.RetryOf != "": // see NoReplay
		return drover.Exit(drover.ExitUsage, "--retry does not go with --archive-to").
			Try("purge the rows that were set aside anew, to another file: they still match")
	case p.table.NotTransactional:
		return drover.Exit(drover.ExitRefused, "the storage engine of %s has no transactions: what is archived and what is deleted could differ", p.table.FullName()).
			Try("leave --archive-to out, or give the table another storage engine first")
	}
	if p.images, err = rowimage.New(p.dialect, p.table, p.key); err != nil {
		return err
	}
	p.archive.describe(p.dialect, p.table)
	p.screen.NoReplay()
	return nil
}

// openArchive opens the file before the run is stored.
func (p *purge) openArchive(plan *walkPlan) (end func(*batch.Result) error, err error) {
	return p.archive.close, p.archive.open(plan.run.RunID == "", plan.run.Done)
}

// archiveAndDelete locks the rows of a batch, writes them to the archive, and deletes exactly them. A rehearsal writes nothing.
func (p *purge) archiveAndDelete(ctx context.Context, b *batch.Batch[batch.Range]) (int64, error) {
	r := b.Rows[0]
	rows, err := p.images.Read(ctx, b.DB(), r.Where, r.Args, true)
	if err != nil {
		return 0, err
	}
	if b.RunID() != "" {
		if err := p.archive.add(b.Committed(), rows); err != nil {
			return 0, batch.Fatal(err)
		}
	}
	keys := make([]keyset.Values, len(rows))
	for i, row := range rows {
		keys[i] = row.Key
	}
	n, err := p.images.Delete(ctx, b.DB(), keys)
	if err == nil && n != int64(len(rows)) {
		err = batch.Fatal(fmt.Errorf("%d rows were archived, and %d of them deleted: does a trigger keep some?", len(rows), n))
	}
	return n, err
}
