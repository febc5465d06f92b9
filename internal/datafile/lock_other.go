//go:build !unix

package datafile

import "os"

// Lock does nothing: there two processes are not kept from each other.
func Lock(*os.File) error { return nil }
