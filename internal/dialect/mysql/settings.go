package mysql

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/drover-dev/drover/internal/dialect"
)

// Oldest is the version from which on the server has SKIP LOCKED and JSON_TABLE.
func (Dialect) Oldest(version string) string {
	if strings.HasPrefix(version, "mariadb ") {
		return "mariadb 10.6"
	}
	return "mysql 8.0.4"
}

// smallPacket is the max_allowed_packet below which a statement for many rows of some size may not fit.
const smallPacket = 4 << 20

// Settings judges the settings of the session. A variable that the server does not have is left out.
func (Dialect) Settings(ctx context.Context, q dialect.Queryer) (f dialect.Findings, err error) {
	values, err := dialect.Values(ctx, q, `SHOW VARIABLES WHERE Variable_name IN ('log_bin', 'binlog_format', 'innodb_flush_log_at_trx_commit', 'sync_binlog',
		'sql_mode', 'max_allowed_packet', 'local_infile', 'max_statement_time', 'idle_transaction_timeout', 'idle_write_transaction_timeout')`)
	if err != nil {
		return nil, err
	}
	judge := func(level dialect.Level, name string, bad bool, text, advice string) {
		value, known := values[name]
		if !known {
			return
		}
		if !bad {
			text = ""
		}
		f.Setting(level, name, value, text, advice)
	}
	logged := values["log_bin"] == "ON"
	judge(dialect.Note, "log_bin", !logged, "log_bin is OFF: there can be no replica and no point-in-time recovery", "")
	// drover's transactions are READ COMMITTED unless they ask for another level.
	judge(dialect.Problem, "binlog_format", logged && values["binlog_format"] == "STATEMENT",
		"binlog_format is STATEMENT: InnoDB refuses to change rows at READ COMMITTED, which is the level of drover's transactions",
		"set binlog_format to ROW or MIXED, or isolation = \"repeatable read\" for this database in drover.toml")
	flush := "innodb_flush_log_at_trx_commit"
	judge(dialect.Warning, flush, values[flush] != "1",
		fmt.Sprintf("%s is %s: a crash of the machine can take back the last commits", flush, values[flush]), "set it to 1")
	judge(dialect.Note, "sync_binlog", logged && values["sync_binlog"] != "1",
		"sync_binlog is "+values["sync_binlog"]+": a crash of the machine can take commits out of the binary log, and so from the replicas", "")
	mode := strings.Split(values["sql_mode"], ",")
	judge(dialect.Warning, "sql_mode", !slices.Contains(mode, "STRICT_TRANS_TABLES") && !slices.Contains(mode, "STRICT_ALL_TABLES"),
		"sql_mode is not strict: values that do not fit are cut or changed without an error", "add STRICT_TRANS_TABLES to sql_mode")
	packet, err := strconv.Atoi(values["max_allowed_packet"])
	judge(dialect.Warning, "max_allowed_packet", err != nil || packet < smallPacket,
		fmt.Sprintf("max_allowed_packet is %s bytes: a statement for many rows may not fit", values["max_allowed_packet"]), "set it to 16M or more")
	judge(dialect.Note, "local_infile", false, "", "")
	limit := func(name, effect string) {
		judge(dialect.Note, name, strings.Trim(values[name], "0.") != "", fmt.Sprintf("%s is %s s: %s", name, values[name], effect), "")
	}
	limit("max_statement_time", "a longer statement is ended; counting a large table may take longer")
	limit("idle_transaction_timeout", "a batch whose code is silent for longer loses its transaction")
	limit("idle_write_transaction_timeout", "a batch whose code is silent for longer loses its transaction")
	return f, nil
}

// Rights reads the user's own rights. Those that come through a role are not told apart, so with a role nothing is said to be missing.
func (Dialect) Rights(ctx context.Context, q dialect.Queryer, tables []string) (f dialect.Findings, err error) {
	roles, err := dialect.Names(ctx, q, "SELECT COALESCE(CURRENT_ROLE(), 'NONE')")
	if err != nil {
		return nil, err
	}
	if len(roles) > 0 && roles[0] != "NONE" {
		f.Add(dialect.Note, "rights", "", "the user has its rights through the role %s: they are not looked at", roles[0])
		return f, nil
	}
	everywhere, err := granted(ctx, q, "USER_PRIVILEGES", "")
	if err != nil {
		return nil, err
	}
	here, err := granted(ctx, q, "SCHEMA_PRIVILEGES", " AND DATABASE() LIKE TABLE_SCHEMA")
	if err != nil {
		return nil, err
	}
	here = append(here, everywhere...)
	switch {
	case len(tables) > 0:
		missing, err := missingOn(ctx, q, tables, here)
		if err != nil {
			return nil, err
		}
		dialect.MissingRights(&f, missing)
	case slices.Contains(here, "CREATE"):
		f.Add(dialect.Fine, "rights", "", "the user may make tables")
	default:
		f.Add(dialect.Warning, "rights", dialect.PrintTables, "the user may not make tables, and drover's own are not there")
	}
	if !slices.Contains(everywhere, "PROCESS") {
		f.Add(dialect.Note, "PROCESS", "GRANT PROCESS ON *.* TO the user, as an administrator",
			"the user lacks PROCESS: --max-lock-waits and --max-dead-rows cannot be used")
	}
	return f, nil
}

// WriteProbe is none.
func (Dialect) WriteProbe() string { return "" }

// granted are the rights that a view of information_schema has for the user.
func granted(ctx context.Context, q dialect.Queryer, view, where string, args ...any) ([]string, error) {
	return dialect.Names(ctx, q, `SELECT PRIVILEGE_TYPE FROM information_schema.`+view+`
		WHERE GRANTEE = CONCAT('''', SUBSTRING_INDEX(CURRENT_USER(), '@', 1), '''@''', SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')`+where, args...)
}

// missingOn are the rights on the tables that the user lacks; it has those of here on all of them.
func missingOn(ctx context.Context, q dialect.Queryer, tables, here []string) (missing []string, err error) {
	for _, table := range tables {
		own, err := granted(ctx, q, "TABLE_PRIVILEGES", " AND TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?", table)
		if err != nil {
			return nil, err
		}
		for _, right := range []string{"SELECT", "INSERT", "UPDATE", "DELETE"} {
			if !slices.Contains(own, right) && !slices.Contains(here, right) {
				missing = append(missing, right+" on "+table)
			}
		}
	}
	return missing, nil
}
