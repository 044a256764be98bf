package kernel

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func TestPayloadOfABzImage(t *testing.T) {
	elf := append([]byte("\x7fELF"), bytes.Repeat([]byte("kernel"), 1000)...)
	e, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	packed := binary.LittleEndian.AppendUint32(e.EncodeAll(elf, nil), uint32(len(elf)))
	b := make([]byte, 3*512+100)
	b[setupSects] = 2
	copy(b[headerMagic:], "HdrS")
	binary.LittleEndian.PutUint32(b[payloadOffset:], 100)
	binary.LittleEndian.PutUint32(b[payloadLength:], uint32(len(packed)))
	b = append(b, packed...)
	got, err := payload(b)
	if err != nil || !bytes.Equal(got, elf) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	for name, bad := range map[string][]byte{"cut": b[:len(b)-10], "no header": make([]byte, 4096), "short": b[:100]} {
		if _, err := payload(bad); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}

func TestStripSignature(t *testing.T) {
	const magic = "~Module signature appended~\n"
	signature := []byte("0123456789")
	info := make([]byte, 12)
	binary.BigEndian.PutUint32(info[8:], uint32(len(signature)))
	signed := slices.Concat([]byte("the module"), signature, info, []byte(magic))
	if got, err := stripSignature(signed); err != nil || string(got) != "the module" {
		t.Errorf("%q %v", got, err)
	}
	if got, err := stripSignature([]byte("unsigned")); err != nil || string(got) != "unsigned" {
		t.Errorf("%q %v", got, err)
	}
	binary.BigEndian.PutUint32(info[8:], 1<<31)
	if _, err := stripSignature(slices.Concat([]byte("x"), info, []byte(magic))); err == nil {
		t.Error("a signature longer than the file passes")
	}
}

func TestNoStageNamesWhatTheGuestMustNotHave(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range stages() {
		for _, name := range strings.Fields(s.modules) {
			if seen[name] {
				t.Errorf("%s is named twice", name)
			}
			seen[name] = true
		}
	}
	for _, name := range []string{"algif_aead", "af_alg", "esp4", "esp6", "rxrpc"} {
		if seen[name] {
			t.Errorf("%s is in the image (docs/threats.md)", name)
		}
	}
}

func TestList(t *testing.T) {
	got := List([]Module{{Stage: "boot", Name: "vsock"}, {Stage: "boot", Name: "hv_sock", Needs: []string{"hv_vmbus", "vsock"}}})
	if got != "boot vsock\nboot hv_sock hv_vmbus vsock\n" {
		t.Errorf("%q", got)
	}
}
