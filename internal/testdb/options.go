package testdb

// Option changes a server of NewPostgres or NewMariaDB.
type Option func(*options)

type options struct {
	durable  bool
	settings []setting
}

// setting is one line of a server's configuration file.
type setting struct{ name, value string }

// Durable makes the server flush every commit to the disk, as in production. An ordinary test server writes commits to
// the operating system and leaves it there: they survive Kill, which is the death of the server, and would only be lost
// in the death of the machine. Where the servers' files are in memory, flushing costs nothing.
func Durable() Option {
	return func(o *options) { o.durable = true }
}

// Setting sets a server variable in the configuration file, over the harness's own value: Setting("deadlock_timeout",
// "10ms") for PostgreSQL, Setting("innodb_lock_wait_timeout", "1") for MariaDB.
func Setting(name, value string) Option {
	return func(o *options) { o.settings = append(o.settings, setting{name, value}) }
}
