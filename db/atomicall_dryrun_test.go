package db_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/db"
)

func TestAtomicAll_DryRun(t *testing.T) {
	eachBoth(t, func(t *testing.T, a, b *world) {
		before := []string{a.on.Dump(t), b.on.Dump(t)}
		// dry runs AtomicAll in a dry run of both, and returns the previews.
		dry := func(t *testing.T, fn func(ctx context.Context, va, vb *world) error) (pa, pb *db.Preview, failure error) {
			va, vb := &world{DB: a.RequireBlock(), on: a.on}, &world{DB: b.RequireBlock(), on: b.on}
			pa, err := a.DryRun(t.Context(), func(ctx context.Context) error {
				var err error
				pb, err = b.DryRun(ctx, func(ctx context.Context) error {
					failure = all(ctx, va, vb, func(ctx context.Context) error { return fn(ctx, va, vb) }, db.Isolation(sql.LevelSerializable), db.Durable(), db.Retry(2))
					return nil
				})
				return err
			})
			noError(t, err)
			return pa, pb, failure
		}
		inserted := func(p *db.Preview) (n int64) {
			for _, table := range p.Tables {
				n += table.Inserted
			}
			return n
		}
		ha, hb := &hooks{w: a}, &hooks{w: b}
		work := func(ctx context.Context, va, vb *world) error {
			return must(addBoth(ctx, va, vb, "one"), ha.on(ctx, "a"), hb.on(ctx, "b"))
		}
		pa, pb, err := dry(t, work)
		if err != nil || inserted(pa) != 1 || inserted(pb) != 1 || !cmp.Equal(pa.Hooks, []string{"a"}) || !cmp.Equal(pb.Hooks, []string{"b"}) {
			t.Errorf("%+v, %+v, %v", pa, pb, err)
		}
		for name, failing := range map[string]func(ctx context.Context, va, vb *world) error{
			"error": func(ctx context.Context, va, vb *world) error { return must(work(ctx, va, vb), errOops) },
			"rollback": func(ctx context.Context, va, vb *world) error {
				return must(work(ctx, va, vb), va.SetRollback(ctx, true))
			},
			"swallowed": func(ctx context.Context, va, vb *world) error {
				return must(work(ctx, va, vb), swallow(va.add(ctx, "one")))
			},
		} {
			pa, pb, err := dry(t, failing)
			if (err == nil) != (name == "rollback") || inserted(pa) != 0 || inserted(pb) != 0 || len(pa.Hooks)+len(pb.Hooks) != 0 {
				t.Errorf("%s: %+v, %+v, %v", name, pa, pb, err)
			}
		}
		ha.want(t)
		hb.want(t)
		for i, w := range []*world{a, b} {
			if diff := cmp.Diff(before[i], w.on.Dump(t)); diff != "" {
				t.Errorf("the dry runs have changed (-before +after):\n%s", diff)
			}
		}
		wantNothingLeft(t, a, b)
	})
}
