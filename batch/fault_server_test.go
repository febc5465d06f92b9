package batch_test

import (
	"testing"

	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/internal/testdb"
)

// TestFault_TheServerIsKilled kills the server under a run and starts it again, twice. The run waits for it and goes on by itself.
func TestFault_TheServerIsKilled(t *testing.T) {
	for name, start := range map[string]func(testing.TB, ...testdb.Option) *testdb.Server{
		testdb.NamePostgres: testdb.NewPostgres,
		testdb.NameMariaDB:  testdb.NewMariaDB,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			killServer(t, newFixture(t, start(t).Database(t), 2000))
		})
	}
}

func killServer(t *testing.T, f *fixture) {
	const kills = 2
	crash := make(chan struct{}, kills)
	killed := make(chan error, kills)
	go func() {
		for range crash {
			err := f.Server.Kill()
			if err == nil {
				err = f.Server.Start()
			}
			killed <- err
		}
	}()
	defer close(crash)
	asked := 0
	var rec recorder
	rec.on = func(e batch.Event) { // by one goroutine at a time
		if e.Type == batch.EventBatch && asked < kills && e.Done > int64(600*(asked+1)) {
			asked++
			crash <- struct{}{}
		}
	}
	res, err := counting().Run(t.Context(), f.conn, batch.Options{BatchSize: 10, Workers: 4, Observe: rec.observe})
	for range asked {
		if err := <-killed; err != nil {
			t.Fatal(err)
		}
	}
	if err != nil {
		t.Fatalf("the run did not go on after the server had come back: %v", err)
	}
	if asked != kills || res.Attempt != 1 {
		t.Errorf("%d kills, attempt %d", asked, res.Attempt)
	}
	if len(rec.of(batch.EventRetry)) == 0 {
		t.Error("no batch was tried again: the kills have hit nothing")
	}
	f.wantOnce(t, 2000)
	f.want(t, "SELECT SUM(rows_done) FROM drover_shards", 2000)
}
