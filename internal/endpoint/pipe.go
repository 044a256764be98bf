package endpoint

import (
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
)

// pipeName is the name that Windows knows a pipe by, of an address such as //./pipe/docker_engine. Pipes of other
// computers are refused: Windows would log in there with the person's name.
func pipeName(addr string) (string, error) {
	const local = `\\.\pipe\`
	name := strings.ReplaceAll(addr, "/", `\`)
	if len(name) <= len(local) || !strings.EqualFold(name[:len(local)], local) {
		return "", errdefs.Invalid("invalid engine address %q", "npipe://"+addr).WithHint("Use npipe:////./pipe/NAME.")
	}
	return name, nil
}
