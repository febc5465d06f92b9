package runstore

import (
	"os"
	"os/user"
)

// Person is who runs this process, as user@host: the actor of what a person asks for.
func Person() string {
	name, host := "unknown", "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}
