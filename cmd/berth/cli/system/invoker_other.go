//go:build !unix

package system

import "context"

func asInvoker(context.Context, func(string) string, string, ...string) (out string, ok bool, err error) {
	return "", false, nil // never asked: there is no systemd
}
