package datafile

import (
	_ "github.com/parquet-go/parquet-go" // until the writer of Parquet uses it
)
