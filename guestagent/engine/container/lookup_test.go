//go:build linux

package container

import (
	"context"
	"fmt"
	"testing"

	"github.com/berthhq/berth/internal/errdefs"
)

func TestFindByNameIDAndPrefix(t *testing.T) {
	w := newWorld(t)
	id := w.create("web")
	for _, ref := range []string{"web", "/web", id, id[:12], id[:40]} {
		if got, err := w.ID(ref); err != nil || got != id {
			t.Errorf("%s: %s, %v", ref, got, err)
		}
	}
	_, err := w.ID("nothing")
	wantKind(t, err, errdefs.KindNotFound, "No such container: nothing")
	_, err = w.ID("")
	wantKind(t, err, errdefs.KindInvalid, "Container name cannot be empty")
}

func TestAnAmbiguousPrefixIsRefused(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"abc1", "abc2"} {
		w.add(newEntry(Record{ID: id, Name: "n" + id}))
	}
	_, err := w.ID("abc")
	wantKind(t, err, errdefs.KindInvalid, "multiple IDs found with provided prefix: abc")
	if id, err := w.ID("abc2"); err != nil || id != "abc2" {
		t.Errorf("%s, %v", id, err)
	}
	// A name wins over the beginning of an ID.
	w.add(newEntry(Record{ID: "ffff", Name: "abc"}))
	if id, err := w.ID("abc"); err != nil || id != "ffff" {
		t.Errorf("%s, %v", id, err)
	}
}

func TestANameIsGivenOnce(t *testing.T) {
	w := newWorld(t)
	id := w.create("web")
	_, err := w.ContainerCreate(context.Background(), "web", nil, request())
	wantKind(t, err, errdefs.KindConflict, fmt.Sprintf("Conflict. The container name \"/web\" is already in use by container %q. You have to remove (or rename) that container to be able to reuse that name.", id))
	if n := w.imgs.held(); n != 1 {
		t.Errorf("%d writable layers after a refused creation", n)
	}
}

func TestNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"web": true, "/web": true, "a1": true, "A_b.c-d": true, "9lives": true,
		"a": false, "": false, "-web": false, "_x": false, "we b": false, "wéb": false, "a/b": false, "//web": false, "web\n": false, "../x": false,
	} {
		if err := checkName(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
	_, err := newWorld(t).ContainerCreate(context.Background(), "a b", nil, request())
	wantKind(t, err, errdefs.KindInvalid, "Invalid container name (a b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
}

func TestInventedNamesAreUniqueAndValid(t *testing.T) {
	w, seen := newWorld(t), map[string]bool{}
	for range 50 {
		name := w.record(w.create("")).Name
		if seen[name] || checkName(name) != nil {
			t.Fatalf("name %q", name)
		}
		seen[name] = true
	}
	if name := newNames().pick(50); checkName(name) != nil {
		t.Errorf("name %q", name)
	}
}

func TestRename(t *testing.T) {
	ctx, w := context.Background(), newWorld(t)
	id, other := w.create("web"), w.create("db")
	wantKind(t, w.ContainerRename(ctx, "web", "db"), errdefs.KindConflict, taken("db", other).Error())
	wantKind(t, w.ContainerRename(ctx, "web", ""), errdefs.KindInvalid, "Neither old nor new names may be empty")
	wantKind(t, w.ContainerRename(ctx, "web", "web"), errdefs.KindInvalid, "Renaming a container with the same name as its current name")
	if err := w.ContainerRename(ctx, "web", "/front"); err != nil {
		t.Fatal(err)
	}
	if got, _ := w.ID("front"); got != id {
		t.Errorf("front is %q", got)
	}
	w.create("web") // the old name is free
	if r, _ := w.deps.Durable.(*fakeStore).get(id); r.Name != "front" {
		t.Errorf("recorded as %q", r.Name)
	}
}

func TestARenameThatFailsIsUndone(t *testing.T) {
	ctx, w := context.Background(), newWorld(t)
	w.run("web")
	w.nets.mu.Lock()
	w.nets.fail = errdefs.System("no")
	w.nets.mu.Unlock()
	if err := w.ContainerRename(ctx, "web", "front"); err == nil {
		t.Fatal("renamed")
	}
	if _, err := w.ID("web"); err != nil {
		t.Error(err)
	}
	if _, err := w.ID("front"); err == nil {
		t.Error("it has both names")
	}
}
