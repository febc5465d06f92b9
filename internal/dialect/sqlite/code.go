package sqlite

import (
	"errors"
	"reflect"
	"strings"
)

// coder is what modernc's errors are.
type coder interface {
	error
	Code() int
}

// resultCode finds an SQLite result code in err's chain, whatever driver it came from: without the code a failed
// statement would not be known to have failed in the database, and its block could be committed.
func resultCode(err error) (int, bool) {
	if coded, ok := errors.AsType[coder](err); ok {
		return coded.Code(), true
	}
	return foreignCode(err)
}

// foreignCode reads the code of a driver that this package does not import. ncruces has it in a method, mattn in a field;
// both call it ExtendedCode and give it a type of their own.
func foreignCode(err error) (int, bool) {
	if err == nil {
		return 0, false
	}
	if code, ok := extendedCode(reflect.ValueOf(err)); ok {
		return code, true
	}
	switch wrapped := err.(type) { //nolint:errorlint // this is the walk along the chain
	case interface{ Unwrap() error }:
		return foreignCode(wrapped.Unwrap())
	case interface{ Unwrap() []error }:
		for _, inner := range wrapped.Unwrap() {
			if code, ok := foreignCode(inner); ok {
				return code, true
			}
		}
	}
	return 0, false
}

func extendedCode(err reflect.Value) (int, bool) {
	t := err.Type()
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || !strings.Contains(t.PkgPath(), "sqlite") {
		return 0, false
	}
	code := reflect.Value{}
	if method := err.MethodByName("ExtendedCode"); method.IsValid() && method.Type().NumIn() == 0 && method.Type().NumOut() == 1 {
		code = method.Call(nil)[0]
	} else if value := reflect.Indirect(err); value.IsValid() {
		code = value.FieldByName("ExtendedCode")
	}
	switch {
	case !code.IsValid():
		return 0, false
	case code.CanInt():
		return int(code.Int()), true
	case code.CanUint():
		return int(code.Uint()), true
	}
	return 0, false
}
