package model

import (
	"strconv"
	"strings"
	"unicode"
)

// initialisms are written in capitals, as Go's own names are (go.dev/wiki/CodeReviewComments#initialisms).
var initialisms = map[string]bool{
	"API": true, "ASCII": true, "CPU": true, "CSS": true, "DB": true, "DNS": true, "EOF": true, "GUID": true, "HTML": true, "HTTP": true, "HTTPS": true,
	"ID": true, "IP": true, "JSON": true, "QPS": true, "RAM": true, "RPC": true, "SKU": true, "SLA": true, "SMTP": true, "SQL": true, "SSH": true,
	"TCP": true, "TLS": true, "TTL": true, "UDP": true, "UI": true, "UID": true, "URI": true, "URL": true, "UTC": true, "UTF8": true, "UUID": true,
	"VM": true, "XML": true,
}

// namer holds the names that are taken.
type namer map[string]bool

// name makes an exported Go name of a column's or a table's, with a number behind it where it is taken.
func (n namer) name(sql string) string {
	base := GoName(sql)
	name := base
	for i := 2; n[name]; i++ {
		name = base + "_" + strconv.Itoa(i)
	}
	n[name] = true
	return name
}

// GoName is the exported Go name of a column or a table: user_id is UserID. A name that begins with what has no capital gets an X before it.
func GoName(sql string) string {
	words := strings.FieldsFunc(sql, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	var b strings.Builder
	for _, word := range words {
		if upper := strings.ToUpper(word); initialisms[upper] {
			b.WriteString(upper)
			continue
		}
		runes := []rune(word)
		runes[0] = unicode.ToUpper(runes[0])
		b.WriteString(string(runes))
	}
	name := b.String()
	if first := []rune(name + " ")[0]; !unicode.IsUpper(first) {
		return "X" + name
	}
	return name
}
