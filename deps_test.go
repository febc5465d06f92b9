package drover_test

import _ "github.com/rogpeppe/go-internal/testscript"
