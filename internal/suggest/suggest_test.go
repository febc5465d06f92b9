package suggest_test

import (
	"testing"

	"github.com/drover-dev/drover/internal/suggest"
)

func TestNearest(t *testing.T) {
	names := []string{"id", "created_at", "status", "state", "customer_id"}
	for misspelt, want := range map[string]string{
		"creatd_at":  "created_at",
		"CREATED_TA": "created_at",
		"statsu":     "status",
		"stat":       "state",
		"custom":     "customer_id",
		"di":         "id",
		"colour":     "",
		"":           "",
	} {
		if got := suggest.Nearest(misspelt, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", misspelt, got, want)
		}
	}
}
