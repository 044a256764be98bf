package machineapi

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"

	"github.com/berthhq/berth/internal/paths"
)

// Offline is what can be told of a machine that no host agent serves, from the file that an agent left. Should the
// machine have outlived its agent, it is running all the same: what starts an agent finds it.
func Offline(l paths.Machine) Machine {
	m := Machine{Name: l.Name, State: Stopped, Socket: l.DockerSocket(), Dir: l.Dir}
	b, err := os.ReadFile(l.State())
	if errors.Is(err, fs.ErrNotExist) {
		m.State = Absent
		return m
	}
	var known struct {
		Settings Settings `json:"settings"`
		Image    string   `json:"image"`
		Ended    string   `json:"ended"`
	}
	if err == nil {
		err = json.Unmarshal(b, &known)
	}
	if err != nil {
		m.State, m.Reason = Broken, err.Error()
		return m
	}
	m.Settings, m.Image, m.Reason = known.Settings, known.Image, known.Ended
	return m
}
