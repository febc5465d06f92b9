package postgres

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/drover-dev/drover/internal/dialect"
)

// libpq are the URL parameters that libpq has, too, but for those with a secret. It refuses a URL with any other.
var libpq = []string{
	"application_name", "channel_binding", "client_encoding", "connect_timeout", "dbname", "fallback_application_name", "gssdelegation", "gssencmode",
	"gsslib", "host", "hostaddr", "keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval", "krbsrvname", "load_balance_hosts",
	"max_protocol_version", "min_protocol_version", "passfile", "port", "replication", "require_auth", "requirepeer", "service", "ssl_max_protocol_version",
	"ssl_min_protocol_version", "sslcert", "sslcertmode", "sslcompression", "sslcrl", "sslcrldir", "sslkey", "sslmode", "sslnegotiation", "sslrootcert",
	"sslsni", "target_session_attrs", "tcp_user_timeout", "user",
}

// Client says how psql is started on a URL: with the URL, but without the password, which psql takes from PGPASSWORD. Parameters that pgx sends to the
// server as settings, such as search_path, become options of the session. The rest, which is for pgx, is left out.
func Client(rawURL string) (*dialect.Client, error) {
	given, err := dialect.ServerURL(rawURL)
	if err != nil {
		return nil, err
	}
	pc, err := pgxpool.ParseConfig(rawURL)
	if err != nil {
		return nil, badURL(given, err)
	}
	client, settings := &dialect.Client{}, pc.ConnConfig.RuntimeParams
	params, carried := given.Query(), url.Values{}
	var options, left []string
	if text := settings["options"]; text != "" { // of the URL or of PGOPTIONS, which options in a URL replace
		options = append(options, text)
	}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		switch value := params.Get(name); {
		case name == "database": // pgx's other name for it
			carried.Set("dbname", value)
		case slices.Contains(libpq, name):
			carried.Set(name, value)
		case name == "options", name == "password":
		case settings[name] != "":
			options = append(options, "-c "+name+"="+strings.NewReplacer(`\`, `\\`, " ", `\ `).Replace(value))
		default:
			left = append(left, name)
		}
	}
	if len(options) > 0 {
		carried.Set("options", strings.Join(options, " "))
	}
	password, _ := given.User.Password()
	if params.Has("password") {
		password = params.Get("password")
	}
	if password != "" {
		client.Environ = []string{"PGPASSWORD=" + password}
	}
	bare := *given
	if given.User != nil {
		bare.User = url.User(given.User.Username())
	}
	bare.RawQuery = strings.ReplaceAll(carried.Encode(), "+", "%20") // libpq reads a plus as a plus
	client.Programs = []dialect.ClientProgram{{Name: "psql", Package: "postgresql-client", Args: []string{"--dbname=" + bare.String()}, Left: left}}
	return client, nil
}
