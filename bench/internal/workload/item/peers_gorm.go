package item

import (
	"context"
	"database/sql"
	"errors"

	gormmysql "gorm.io/driver/mysql"
	gormpostgres "gorm.io/driver/postgres"
	gormsqlite "gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"

	"github.com/drover-dev/drover/bench/internal/harness"
	"github.com/drover-dev/drover/bench/internal/measure"
	"github.com/drover-dev/drover/internal/testdb"
)

// gormSide is GORM with the settings that its page on performance recommends.
type gormSide struct {
	site *site
	pool *sql.DB
	db   *gorm.DB
}

func gormEntry(s *site) entry {
	return entry{name: "GORM", role: measure.Peer, side: &gormSide{site: s}, without: map[*task]string{}}
}

func (g *gormSide) open(ctx context.Context) (err error) {
	if g.pool, err = harness.Open(g.site.URL); err != nil {
		return err
	}
	var dialector gorm.Dialector
	switch g.site.Name {
	case testdb.NamePostgres:
		dialector = gormpostgres.New(gormpostgres.Config{Conn: g.pool})
	case testdb.NameMariaDB:
		dialector = gormmysql.New(gormmysql.Config{Conn: g.pool})
	default:
		dialector = gormsqlite.New(gormsqlite.Config{Conn: g.pool}) // on the driver that all sides have
	}
	g.db, err = gorm.Open(dialector, &gorm.Config{SkipDefaultTransaction: true, PrepareStmt: true, Logger: logger.Discard})
	if err == nil {
		g.db = g.db.WithContext(ctx)
	}
	return err
}

func (g *gormSide) close() error {
	if prepared, ok := g.db.ConnPool.(*gorm.PreparedStmtDB); ok {
		prepared.Close()
	}
	return g.pool.Close()
}

func (g *gormSide) works() map[*task][]work {
	return map[*task][]work{
		create:      {{how: "Create of slices", run: g.create}},
		createBlind: {{how: "Create of slices (reads ids all the same)", run: g.createBlind}},
		update:      {{how: "Create with OnConflict (it has no bulk update)", run: g.update}},
		remove:      {{how: "Pluck ids after the last, Delete", run: g.remove}},
		stream:      {{how: "Rows, ScanRows", run: g.stream}, {how: "Find, all in memory", run: g.find}},
		pages:       {{how: "FindInBatches", run: g.pages}},
		narrow:      {{how: "Select, Rows, ScanRows", run: g.narrow}},
		get:         {{how: "Take", run: g.get}},
		getOrCreate: {{how: "Attrs, FirstOrCreate", run: g.getOrCreate}},
		expression:  {{how: "UpdateColumn with Expr", run: g.expression}},
		upsert:      {{how: "Create with OnConflict", run: g.upsert}},
	}
}

func (g *gormSide) create(context.Context) (t tally, err error) {
	err = g.db.Transaction(func(tx *gorm.DB) error {
		return batches(g.site.sizes.Rows, g.site.sizes.Batch, row, func(rows []Item) error {
			if err := tx.Create(&rows).Error; err != nil {
				return err
			}
			for i := range rows {
				t.created(rows[i].ID, rows[i].Qty)
			}
			return nil
		})
	})
	return t, err
}

func (g *gormSide) createBlind(ctx context.Context) (tally, error) {
	t, err := g.create(ctx)
	return tally{rows: t.rows}, err
}

func (g *gormSide) update(context.Context) (t tally, err error) {
	replace := clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.AssignmentColumns([]string{"qty", "note"})}
	err = g.db.Transaction(func(tx *gorm.DB) error {
		return batches(g.site.sizes.Updates, g.site.sizes.Batch, updated, func(rows []Item) error {
			t.rows += int64(len(rows))
			return tx.Clauses(replace).Create(&rows).Error
		})
	})
	return t, err
}

func (g *gormSide) upsert(context.Context) (t tally, err error) {
	replace := clause.OnConflict{Columns: []clause.Column{{Name: "sku"}}, DoUpdates: clause.AssignmentColumns([]string{"qty", "note"})}
	err = batches(g.site.sizes.Calls, g.site.sizes.Batch, upserted, func(rows []Item) error {
		t.rows += int64(len(rows))
		return g.db.Clauses(replace).Create(&rows).Error
	})
	return t, err
}

func (g *gormSide) remove(context.Context) (t tally, err error) {
	var last int64
	for {
		var ids []int64
		err := g.db.Model(&Item{}).Where("id > ? AND qty < ?", last, deleteBelow).Order("id").Limit(g.site.sizes.Batch).Pluck("id", &ids).Error
		if err != nil || len(ids) == 0 {
			return t, err
		}
		result := g.db.Delete(&Item{}, ids)
		if result.Error != nil {
			return t, result.Error
		}
		t.rows += result.RowsAffected
		last = ids[len(ids)-1]
	}
}

func (g *gormSide) stream(context.Context) (t tally, err error) {
	rows, err := g.db.Model(&Item{}).Order("id").Rows()
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var it Item
		if err := g.db.ScanRows(rows, &it); err != nil {
			return t, err
		}
		t.add(it.Qty)
	}
	return t, rows.Err()
}

func (g *gormSide) find(context.Context) (t tally, err error) {
	var items []Item
	err = g.db.Order("id").Find(&items).Error
	for i := range items {
		t.add(items[i].Qty)
	}
	return t, err
}

func (g *gormSide) pages(context.Context) (t tally, err error) {
	var page []Item
	err = g.db.FindInBatches(&page, g.site.sizes.Page, func(*gorm.DB, int) error {
		for i := range page {
			t.add(page[i].Qty)
		}
		return nil
	}).Error
	return t, err
}

func (g *gormSide) narrow(context.Context) (t tally, err error) {
	rows, err := g.db.Model(&Item{}).Select("id", "qty").Order("id").Rows()
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var p pair
		if err := g.db.ScanRows(rows, &p); err != nil {
			return t, err
		}
		t.add(p.Qty)
	}
	return t, rows.Err()
}

func (g *gormSide) get(context.Context) (t tally, err error) {
	for id := range ids(g.site.sizes) {
		var it Item
		if err := g.db.Take(&it, id).Error; err != nil {
			return t, err
		}
		t.add(it.Qty)
	}
	return t, nil
}

func (g *gormSide) getOrCreate(context.Context) (t tally, err error) {
	for i := range g.site.sizes.Calls {
		want := wanted(i)
		var it Item
		if err := g.db.Where("sku = ?", want.SKU).Attrs(want).FirstOrCreate(&it).Error; err != nil {
			return t, err
		}
		t.add(it.Qty)
	}
	return t, nil
}

func (g *gormSide) expression(context.Context) (t tally, err error) {
	result := g.db.Session(&gorm.Session{AllowGlobalUpdate: true}).Model(&Item{}).UpdateColumn("qty", gorm.Expr("qty + ?", 1))
	return tally{rows: result.RowsAffected}, result.Error
}
