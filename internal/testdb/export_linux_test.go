package testdb

// For the tests in package testdb_test, which watch processes from outside.
var (
	Alive = alive
	Poll  = poll

	BaseDir = baseDir
)
