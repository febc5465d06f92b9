// Package person says who runs this process.
package person

import (
	"os"
	"os/user"
)

// Name is who runs this process, as user@host: the actor of what a person asks for.
func Name() string {
	name, host := "unknown", "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}
