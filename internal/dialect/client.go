package dialect

// Client is how a database's own interactive program is started on a URL. The password is in Environ alone: what a process was started with can be
// read by every user of the machine, its environment by its own user only.
type Client struct {
	// Programs can be started, the best one first.
	Programs []ClientProgram
	// Environ are variables that the program needs, as os.Environ has them.
	Environ []string
	// Ask are further arguments that make the program ask for the password, where Environ is not given to it.
	Ask []string
}

// ClientProgram is one of the programs that speak to a database.
type ClientProgram struct {
	Name    string
	Package string // the package of Debian that it is in
	Args    []string
	Left    []string // the parameters of the URL that it cannot take
}
