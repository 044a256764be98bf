package ui

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// mostPage is how large the page may be, compressed, without the terminal, in bytes.
const mostPage = 300 << 10

func TestThePageIsSmall(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	files := 0
	err := fs.WalkDir(dist, "dist", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(name, "xterm") {
			return err
		}
		files++
		b, err := fs.ReadFile(dist, name)
		if err == nil {
			_, err = z.Write(b)
		}
		return err
	})
	if err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	if files < 3 || packed.Len() > mostPage {
		t.Errorf("%d files, %d bytes compressed; at most %d", files, packed.Len(), mostPage)
	}
}

// sources is the front end's directory.
const sources = "../../web/src"

func messages(t *testing.T, language string) map[string]string {
	b, err := os.ReadFile(filepath.Join(sources, "i18n", language+".json"))
	m := map[string]string{}
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestEverySentenceIsInBothLanguages(t *testing.T) {
	en, ko := messages(t, "en"), messages(t, "ko")
	if a, b := slices.Sorted(maps.Keys(en)), slices.Sorted(maps.Keys(ko)); !slices.Equal(a, b) {
		t.Fatalf("keys differ:\n%v\n%v", a, b)
	}
	gap := regexp.MustCompile(`\{\w+\}`)
	for key, text := range en {
		a, b := gap.FindAllString(text, -1), gap.FindAllString(ko[key], -1)
		slices.Sort(a)
		slices.Sort(b)
		if !slices.Equal(a, b) || ko[key] == "" || text == "" {
			t.Errorf("%s: %q and %q", key, text, ko[key])
		}
	}
}

// TestTextStandsInMessageFiles looks for letters between tags and in attributes that a person reads.
func TestTextStandsInMessageFiles(t *testing.T) {
	bare := regexp.MustCompile(`(?:aria-label|placeholder|title)="[^"{]*[A-Za-z]{3,}|<(?:button|h1|h2|p|th|dt)\b(?:(?:[^>]|=>)*[^=>])?>\s*[A-Za-z]{3,}`)
	examples := regexp.MustCompile(`placeholder="(?:NAME=value|/home/me/site|/data|nginx:latest)`)
	seen := 0
	err := filepath.WalkDir(sources, func(name string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".svelte" {
			return err
		}
		seen++
		b, err := os.ReadFile(name)
		for _, hit := range bare.FindAllString(string(b), -1) {
			if !examples.MatchString(hit) {
				t.Errorf("%s: %s", name, hit)
			}
		}
		return err
	})
	if err != nil || seen < 10 {
		t.Fatalf("%d files: %v", seen, err)
	}
}
