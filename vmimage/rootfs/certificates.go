package rootfs

import (
	"bytes"
	"io"
	"slices"
	"strings"

	"github.com/berthhq/berth/vmimage/kernel"
)

// Certificates is the bundle of the authorities that Debian trusts, out of its package.
func Certificates(deb string) ([]byte, error) {
	byName := map[string][]byte{}
	err := kernel.EachFile(deb, func(name string, r io.Reader) error {
		if !strings.HasPrefix(name, "usr/share/ca-certificates/mozilla/") {
			return nil
		}
		b, err := io.ReadAll(r)
		byName[name] = b
		return err
	})
	if err != nil {
		return nil, err
	}
	var names []string
	for n := range byName {
		names = append(names, n)
	}
	slices.Sort(names)
	var out bytes.Buffer
	for _, n := range names {
		out.Write(bytes.TrimSpace(byName[n]))
		out.WriteByte('\n')
	}
	return out.Bytes(), nil
}
