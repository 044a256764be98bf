package main

import (
	"bytes"
	"os"
	"path/filepath"

	"github.com/berthhq/berth/vmimage/manifest"
)

// image is the virtual machine's image as entries in a directory, if it is the very one that the host agent was built for:
// the digest of its manifest is a string of that program. Otherwise it is left out, with a line.
func (r *release) image(agent, arch, dir string) ([]entry, error) {
	from := filepath.Join(r.bin, "vm", arch)
	encoded, err := os.ReadFile(filepath.Join(from, manifest.Name))
	if os.IsNotExist(err) {
		r.note("%s: left out the image of the virtual machine, which is not there (make vmimage)", dir)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	digest := manifest.Digest(encoded)
	program, err := os.ReadFile(agent)
	if err != nil {
		return nil, err
	}
	if !bytes.Contains(program, []byte(digest)) {
		r.note("%s: left out the image of the virtual machine: %s was not built to boot it", dir, filepath.Base(agent))
		return nil, nil
	}
	m, err := manifest.Read(from, digest)
	if err != nil {
		return nil, err
	}
	out := []entry{{path: dir + "/" + manifest.Name, source: filepath.Join(from, manifest.Name), mode: 0o644}}
	for _, p := range m.Parts {
		out = append(out, entry{path: dir + "/" + p.File, source: filepath.Join(from, p.File), mode: 0o644})
	}
	return out, nil
}
