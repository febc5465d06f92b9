package item

import (
	"context"
	"slices"
	"time"

	"github.com/drover-dev/drover/bench/django"
	"github.com/drover-dev/drover/bench/internal/measure"
	"github.com/drover-dev/drover/internal/testdb"
)

// djangoSide is Django, which runs as processes.
type djangoSide struct {
	site *site
	last django.Result
}

func djangoEntry(ctx context.Context, s *site) (entry, error) {
	version, err := django.Find(ctx, s.Name)
	if err != nil {
		return entry{}, err
	}
	e := entry{name: "Django " + version.Text, role: measure.Peer, side: &djangoSide{site: s}, without: map[*task]string{}}
	if s.Name == testdb.NameSQLite && !version.AtLeast(4, 0) {
		e.without[create] = "it does not read ids back from SQLite before 4.0"
	}
	if !version.AtLeast(4, 1) {
		e.without[upsert] = "it has no update_conflicts before 4.1"
	}
	return e, nil
}

func (d *djangoSide) open(context.Context) error { return nil }
func (d *djangoSide) close() error               { return nil }

func (d *djangoSide) works() map[*task][]work {
	works := map[*task][]work{}
	for k, how := range map[*task]string{
		create:      "bulk_create",
		createBlind: "bulk_create",
		update:      "bulk_update",
		remove:      "ids after the last, delete",
		stream:      "iterator",
		pages:       "slices by key",
		narrow:      "values_list, iterator",
		get:         "get",
		getOrCreate: "get_or_create",
		expression:  "update with F",
		upsert:      "bulk_create update_conflicts",
	} {
		if d.site.Name == testdb.NameMariaDB && (k == stream || k == narrow) {
			how += " (all in memory: no cursors on the server)"
		}
		works[k] = []work{{how: how, usage: d.usage, run: func(ctx context.Context) (tally, error) { return d.run(ctx, k) }}}
	}
	return works
}

func (d *djangoSide) run(ctx context.Context, k *task) (t tally, err error) {
	job := django.Job{Task: k.name, Sizes: d.site.sizes}
	if k == get {
		job.IDs = slices.Collect(ids(d.site.sizes))
	}
	if job.Database, err = django.Settings(d.site.URL); err != nil {
		return t, err
	}
	if d.last, err = django.Run(ctx, job); err != nil {
		return t, err
	}
	return tally{d.last.Rows, d.last.Sum}, nil
}

func (d *djangoSide) usage() measure.Usage {
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	return measure.Usage{
		Took: seconds(d.last.Seconds), CPU: seconds(d.last.CPU), Allocs: measure.Unknown,
		Peak: d.last.Peak - d.last.Before, Total: d.last.Peak,
	}
}
