package join_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestJoin_OneTransaction lets every library write and read in one block, and in the block's rollback and its commit.
func TestJoin_OneTransaction(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error // the block's
	}{
		{"rolled back", errUndo},
		{"committed", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			each(t, func(t *testing.T, f fixture) {
				members := f.members(t)
				var written []string
				err := f.conn.Atomic(t.Context(), func(ctx context.Context) error {
					if err := f.begin(ctx); err != nil {
						return err
					}
					var session string
					if err := f.conn.QueryRow(ctx, f.session).Scan(&session); err != nil {
						return err
					}
					for _, m := range members {
						if err := m.add(ctx, m.name); err != nil {
							t.Errorf("%s: write: %v", m.name, err)
						}
						written = append(written, m.name)
						if got, err := m.session(ctx); err != nil || got != session {
							t.Errorf("%s: on connection %q (%v), want the block's %q", m.name, got, err, session)
						}
					}
					for _, m := range members {
						got, err := m.names(ctx)
						if err != nil {
							t.Errorf("%s: read: %v", m.name, err)
						}
						if diff := cmp.Diff(written, got); diff != "" {
							t.Errorf("%s: rows seen in the block (-want +got):\n%s", m.name, diff)
						}
					}
					if got := f.committed(t); len(got) != 0 {
						t.Errorf("another connection sees %q before the commit", got)
					}
					return test.err
				})
				if !errors.Is(err, test.err) {
					t.Fatalf("block: %v, want %v", err, test.err)
				}
				want := written
				if test.err != nil {
					want = nil
				}
				if diff := cmp.Diff(want, f.committed(t)); diff != "" {
					t.Errorf("rows after the block (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestJoin_OutsideABlock lets every library but native pgx, which asks for a block, use the same handles without one.
func TestJoin_OutsideABlock(t *testing.T) {
	each(t, func(t *testing.T, f fixture) {
		ctx := t.Context()
		var written []string
		for _, m := range f.members(t) {
			switch m.member.(type) {
			case pgxMember, pgxTxMember:
				continue
			}
			if err := m.add(ctx, m.name); err != nil {
				t.Errorf("%s: write: %v", m.name, err)
			}
			written = append(written, m.name)
			got, err := m.names(ctx)
			if err != nil {
				t.Errorf("%s: read: %v", m.name, err)
			}
			if diff := cmp.Diff(written, got); diff != "" {
				t.Errorf("%s: rows seen (-want +got):\n%s", m.name, diff)
			}
		}
		if diff := cmp.Diff(written, f.committed(t)); diff != "" {
			t.Errorf("rows on another connection (-want +got):\n%s", diff)
		}
	})
}
