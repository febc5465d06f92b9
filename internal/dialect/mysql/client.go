package mysql

import (
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/drover-dev/drover/internal/dialect"
)

// tlsArguments are the driver's values of tls in the words of MariaDB's client, and of MySQL's, which has the name mysql on its own. Each refuses the
// other's, so that a connection is never less safe than the URL wants it. MariaDB's client insists on TLS only where it verifies the certificate, so
// that it does so for skip-verify as well.
var tlsArguments = map[string]struct{ mariadb, mysql []string }{
	"false":     {[]string{"--skip-ssl"}, []string{"--ssl-mode=DISABLED"}},
	"preferred": {[]string{"--ssl", "--skip-ssl-verify-server-cert"}, []string{"--ssl-mode=PREFERRED"}},
	skipVerify:  {[]string{"--ssl", "--ssl-verify-server-cert"}, []string{"--ssl-mode=REQUIRED"}},
	"true":      {[]string{"--ssl", "--ssl-verify-server-cert"}, []string{"--ssl-mode=VERIFY_IDENTITY"}},
}

const skipVerify = "skip-verify"

// Client says how the client of MariaDB, or of MySQL, is started on a URL. It takes the password from MYSQL_PWD, and reads no option file then: a
// password in ~/.my.cnf would win. Parameters that the driver sends to the server as variables are set when the client connects. The rest, which is
// for the driver, is left out.
func Client(rawURL string) (*dialect.Client, error) {
	given, mc, err := parse(rawURL)
	if err != nil {
		return nil, err
	}
	client, params := &dialect.Client{}, given.Query()
	var args []string
	if mc.Passwd != "" {
		args = append(args, "--no-defaults") // the first one, or none
		client.Environ, client.Ask = []string{"MYSQL_PWD=" + mc.Passwd}, []string{"--password"}
	}
	args = append(args, address(mc)...)
	if mc.User != "" {
		args = append(args, "--user="+mc.User)
	}
	if mc.DBName != "" {
		args = append(args, "--database="+mc.DBName)
	}
	var set, left []string
	for _, name := range slices.Sorted(maps.Keys(params)) {
		switch value := params.Get(name); {
		case name == "tls":
		case name == "charset":
			charset, _, _ := strings.Cut(value, ",")
			args = append(args, "--default-character-set="+charset)
		case name == "timeout":
			args = append(args, "--connect-timeout="+strconv.Itoa(int((mc.Timeout+time.Second-1)/time.Second)))
		case mc.Params[name] != "":
			set = append(set, "SESSION "+name+" = "+mc.Params[name])
		default:
			left = append(left, name)
		}
	}
	if len(set) > 0 {
		args = append(args, "--init-command=SET "+strings.Join(set, ", "))
	}
	tls := strings.ToLower(mc.TLSConfig)
	if yes, err := strconv.ParseBool(tls); err == nil { // the driver also takes 1, on, …
		tls = strconv.FormatBool(yes)
	}
	words, known := tlsArguments[tls]
	if !known && tls != "" {
		return nil, &dialect.BadURLError{Reason: "tls=" + mc.TLSConfig + " is a configuration inside the program, which another one cannot use: write tls=true or tls=skip-verify"}
	}
	own := dialect.ClientProgram{Name: "mariadb", Package: "mariadb-client", Args: slices.Concat(args, words.mariadb), Left: left}
	if tls == skipVerify {
		own.Left = append(slices.Clone(left), "tls=skip-verify, so that it verifies the certificate")
	}
	client.Programs = []dialect.ClientProgram{own, {Name: "mysql", Package: "default-mysql-client", Args: slices.Concat(args, words.mysql), Left: left}}
	return client, nil
}

// address says where the server is. Without --protocol the clients take "localhost" for a socket, and the driver does not.
func address(mc *mysql.Config) []string {
	if mc.Net == "unix" {
		return []string{"--socket=" + mc.Addr}
	}
	host, port, err := net.SplitHostPort(mc.Addr)
	if err != nil {
		return []string{"--protocol=TCP", "--host=" + mc.Addr}
	}
	return []string{"--protocol=TCP", "--host=" + host, "--port=" + port}
}
