package keep

import "encoding/json"

type op string

const (
	opPut   op = "put"
	opDrop  op = "drop"
	opReady op = "ready"
	opExit  op = "exit"
)

// message is one frame of package proto's framing.
type message struct {
	Op     op
	Key    string          `json:",omitempty"`
	Note   json.RawMessage `json:",omitempty"`
	Pid    int             `json:",omitempty"`
	Status uint32          `json:",omitempty"` // as wait4(2) gives it
}
