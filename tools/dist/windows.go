package main

import (
	"embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

// wingetSchema is the version of the manifests' format (github.com/microsoft/winget-pkgs, doc/manifest/schema/1.6.0).
const wingetSchema = "1.6.0"

//go:embed winget
var wingetTexts embed.FS

var windowsPrograms = []string{"berth", "berth-buildx", "berth-compose", "berth-hostagent"}

// makeWindows writes the zip and the manifests that fetch it. There is no MSI yet.
func (r *release) makeWindows() error {
	base := "berth-" + r.fileVersion() + "-windows-amd64"
	entries, err := r.windowsArchive()
	if err != nil {
		return err
	}
	archive := filepath.Join(r.out, base+".zip")
	if err := writeZip(archive, entries, r.when); err != nil {
		return err
	}
	r.wrote(archive)
	r.note("windows-amd64: left out the MSI, which dist does not make yet")
	if err := r.materials(base, entries); err != nil {
		return err
	}
	sum, err := digest(archive)
	if err != nil {
		return err
	}
	if err := r.scoop(base+".zip", sum); err != nil {
		return err
	}
	return r.winget(base+".zip", sum)
}

func (r *release) windowsArchive() ([]entry, error) {
	var out []entry
	for _, p := range windowsPrograms {
		source := filepath.Join(r.windows, p+".exe")
		if _, err := os.Stat(source); err != nil {
			return nil, fmt.Errorf("%s.exe for Windows is not there: make dist builds it", p)
		}
		out = append(out, entry{path: p + ".exe", source: source, mode: 0o755})
	}
	for _, p := range plugins { // zips have no links that Windows unpacks; Compose asks for the program by this name
		out = append(out, entry{path: "cli-plugins/docker-" + p + ".exe", source: filepath.Join(r.windows, "berth-"+p+".exe"), mode: 0o755})
	}
	image, err := r.image(filepath.Join(r.windows, "berth-hostagent.exe"), "amd64", "vm/amd64")
	if err != nil {
		return nil, err
	}
	out = append(out,
		entry{path: "completions/berth.ps1", source: filepath.Join(r.stage, "completions", "berth.ps1"), mode: 0o644},
		entry{path: "LICENSE", source: filepath.Join(r.repo, "LICENSE"), mode: 0o644})
	return append(out, image...), nil
}

// scoop writes the manifest of scoop (github.com/ScoopInstaller/Scoop, wiki: App-Manifests).
func (r *release) scoop(archive, sum string) error {
	type download struct {
		URL  string `json:"url"`
		Hash string `json:"hash"`
	}
	text, err := json.MarshalIndent(struct {
		Version      string              `json:"version"`
		Description  string              `json:"description"`
		Homepage     string              `json:"homepage"`
		License      string              `json:"license"`
		Architecture map[string]download `json:"architecture"`
		Bin          []string            `json:"bin"`
	}{
		r.fileVersion(), summary, homepage, license,
		map[string]download{"64bit": {r.url(archive), sum}}, []string{"berth.exe"},
	}, "", "    ")
	if err != nil {
		return err
	}
	return r.manifest("scoop/berth.json", string(text)+"\n")
}

// winget writes the three manifests of winget.
func (r *release) winget(archive, sum string) error {
	t, err := template.ParseFS(wingetTexts, "winget/*")
	if err != nil {
		return err
	}
	values := map[string]string{
		"Version": r.fileVersion(), "Schema": wingetSchema, "Summary": summary, "Description": description, "License": license,
		"Homepage": homepage, "URL": r.url(archive), "SHA256": strings.ToUpper(sum), "Date": r.when.Format("2006-01-02"),
	}
	for _, t := range t.Templates() {
		var b strings.Builder
		if err := t.Execute(&b, values); err != nil {
			return err
		}
		if err := r.manifest("winget/"+t.Name(), b.String()); err != nil {
			return err
		}
	}
	return nil
}

// manifest writes a text below the directory of what is made.
func (r *release) manifest(name, text string) error {
	path := filepath.Join(r.out, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return err
	}
	r.note("%s", path)
	return nil
}
