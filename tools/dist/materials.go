package main

import (
	"debug/buildinfo"
	"fmt"
	"io"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/CycloneDX/cyclonedx-go"
)

// bill is a bill of materials in the making.
type bill struct {
	files   []cyclonedx.Component
	modules map[string]cyclonedx.Component // by package URL
	depends []cyclonedx.Dependency
}

// materials writes the bill of materials of an archive (CycloneDX 1.6, JSON): each program with its digest and, from what the
// Go linker has written into it, the modules it was built from; each part of the image with its digest.
func (r *release) materials(base string, entries []entry) error {
	b := bill{modules: map[string]cyclonedx.Component{}}
	for _, e := range sorted(entries) {
		var err error
		switch {
		case e.mode&0o111 != 0:
			err = b.program(e)
		case path.Base(path.Dir(path.Dir(e.path))) == "vm":
			_, err = b.file(e, cyclonedx.ComponentTypeFile)
		}
		if err != nil {
			return fmt.Errorf("bill of materials: %s: %w", e.path, err)
		}
	}
	file := filepath.Join(r.out, base+".cdx.json")
	err := create(file, func(w io.Writer) error {
		return cyclonedx.NewBOMEncoder(w, cyclonedx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(b.document(r), cyclonedx.SpecVersion1_6)
	})
	if err == nil {
		r.wrote(file)
	}
	return err
}

// file adds a file and returns its reference.
func (b *bill) file(e entry, kind cyclonedx.ComponentType) (string, error) {
	sum, err := digest(e.source)
	if err != nil {
		return "", err
	}
	ref := "file:" + e.path
	b.files = append(b.files, cyclonedx.Component{
		BOMRef: ref, Type: kind, Name: path.Base(e.path),
		Hashes: &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: sum}},
	})
	return ref, nil
}

// program adds a program and the modules inside it.
func (b *bill) program(e entry) error {
	ref, err := b.file(e, cyclonedx.ComponentTypeApplication)
	if err != nil {
		return err
	}
	info, err := buildinfo.ReadFile(e.source)
	if err != nil {
		return err
	}
	refs := []string{b.module("std", info.GoVersion[len("go"):])}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		refs = append(refs, b.module(m.Path, m.Version))
	}
	slices.Sort(refs)
	b.depends = append(b.depends, cyclonedx.Dependency{Ref: ref, Dependencies: &refs})
	return nil
}

func (b *bill) module(name, version string) string {
	url := "pkg:golang/" + name + "@" + version
	b.modules[url] = cyclonedx.Component{BOMRef: url, Type: cyclonedx.ComponentTypeLibrary, Name: name, Version: version, PackageURL: url}
	return url
}

// document is the whole bill. It has no serial number: the same programs give the same bytes.
func (b *bill) document(r *release) *cyclonedx.BOM {
	refs := []string{}
	for _, f := range b.files {
		refs = append(refs, f.BOMRef)
	}
	components := b.files
	for _, url := range slices.Sorted(maps.Keys(b.modules)) {
		components = append(components, b.modules[url])
	}
	depends := append([]cyclonedx.Dependency{{Ref: "berth", Dependencies: &refs}}, b.depends...)
	bom := cyclonedx.NewBOM()
	bom.Metadata = &cyclonedx.Metadata{Timestamp: r.when.Format(time.RFC3339), Component: &cyclonedx.Component{
		BOMRef: "berth", Type: cyclonedx.ComponentTypeApplication, Name: "berth", Version: r.fileVersion(),
		Licenses: &cyclonedx.Licenses{{License: &cyclonedx.License{ID: license}}},
	}}
	bom.Components, bom.Dependencies = &components, &depends
	return bom
}
