package mysql

import (
	"context"
	"fmt"

	"github.com/drover-dev/drover/internal/dialect"
)

// Identity is the server's id with the schema. That of MySQL lies beside its data. MariaDB's is made of the machine and the port; a MariaDB without one is
// known by the host's name and the port. So on MariaDB data that was restored on the same machine is not told apart.
func (Dialect) Identity(ctx context.Context, q dialect.Queryer) (string, error) {
	values := map[string]string{}
	err := dialect.Each(ctx, q, `SHOW VARIABLES WHERE Variable_name IN ('server_uuid', 'server_uid', 'hostname', 'port')`, nil, func(scan func(...any) error) error {
		var name, value string
		err := scan(&name, &value)
		values[name] = value
		return err
	})
	if err != nil {
		return "", fmt.Errorf("ask which server this is: %w", err)
	}
	schema, err := dialect.Names(ctx, q, "SELECT coalesce(database(), '')")
	if err != nil {
		return "", fmt.Errorf("ask which schema this is: %w", err)
	}
	server := values["hostname"] + ":" + values["port"]
	for _, name := range []string{"server_uid", "server_uuid"} {
		if values[name] != "" {
			server = values[name]
		}
	}
	return "mysql server " + server + ", schema " + schema[0], nil
}
