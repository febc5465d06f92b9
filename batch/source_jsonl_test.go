package batch_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/batch"
)

type event struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

func jsonlOf(path string) func() batch.Source[event] {
	return func() batch.Source[event] { return batch.JSONL[event](path) }
}

func TestJSONL_ReadsAndResumesAtEachLine(t *testing.T) {
	f := sqlite(t)
	path := writeFile(t, "in.jsonl", "\xEF\xBB\xBF{\"id\":1}\r\n\n {\"id\":2,\"name\":\"b\"}\n  \n{\"id\":3}\n{\"id\":4}")
	want := []event{{ID: 1}, {2, "b"}, {ID: 3}, {ID: 4}}
	for stop := range len(want) {
		g := gather[event]{stop: stop}
		o := batch.Options{BatchSize: 1, Arguments: []batch.Argument{{Name: "stop", Value: fmt.Sprint(stop)}}}
		if stop > 0 {
			if _, err := g.run(t, f, o, jsonlOf(path)); !errors.Is(err, errStop) {
				t.Fatalf("got %v", err)
			}
			g.stop = 0
		}
		res, err := g.run(t, f, o, jsonlOf(path))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, g.rows); diff != "" || res.Planned != 4 {
			t.Errorf("stopped after %d lines, planned %d (-want +got):\n%s", stop, res.Planned, diff)
		}
	}
}

func TestJSONL_SetsMalformedLinesAside(t *testing.T) {
	each(t, 0, func(t *testing.T, f *fixture) {
		path := writeFile(t, "in.jsonl", "{\"id\":1}\n{\"id\":2\n\n{\"id\":\"x\"}\nnull and more\n{\"id\":6}\n")
		var g gather[event]
		_, err := g.run(t, f, batch.Options{}, jsonlOf(path))
		var tooMany *batch.TooManyErrors
		if !errors.As(err, &tooMany) || !strings.Contains(err.Error(), "line 2") || len(g.rows) != 1 {
			t.Fatalf("got %v after %v, want the error of line 2", err, g.rows)
		}
		res, err := g.run(t, f, batch.Options{MaxErrors: 3}, jsonlOf(path))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]event{{ID: 1}, {ID: 6}}, g.rows); diff != "" || res.Quarantined != 3 {
			t.Errorf("result %+v (-want +got):\n%s", res, diff)
		}
		f.want(t, `SELECT count(*) FROM drover_quarantine WHERE row_key LIKE '["i2",%' AND input = '{"id":2' AND error LIKE 'line 2: byte 7: unexpected end%'`, 1)
		f.want(t, `SELECT count(*) FROM drover_quarantine WHERE row_key LIKE '["i4",%' AND input = '{"id":"x"}'`, 1)
		f.want(t, `SELECT count(*) FROM drover_quarantine WHERE row_key LIKE '["i5",%' AND input = 'null and more'`, 1)
		again, err := g.run(t, f, batch.Options{RetryOf: res.RunID, MaxErrors: 3}, jsonlOf(path))
		if err != nil {
			t.Fatal(err)
		}
		if again.Done != 0 || again.Quarantined != 3 || len(g.rows) != 2 {
			t.Errorf("replay %+v", again)
		}
	})
}

func TestJSONL_Rehearsal(t *testing.T) {
	f := sqlite(t)
	path := writeFile(t, "in.jsonl", "{\"id\":1}\n{\"id\":2\n{\"id\":3}\n{\"id\":4}\n")
	var g gather[event]
	job := &batch.Job[event]{Name: "gather", Source: from(jsonlOf(path)()), Process: g.process}
	h, err := job.Rehearse(t.Context(), f.conn, batch.Options{BatchSize: 2}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Failures) != 1 || !strings.Contains(h.Failures[0].Error(), "line 2") {
		t.Errorf("failures %v", h.Failures)
	}
	if diff := cmp.Diff([]event{{ID: 1}, {ID: 3}, {ID: 4}}, g.rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}
