package hostagent_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berthhq/berth/hostagent"
	"github.com/berthhq/berth/hostagent/bootimage"
	"github.com/berthhq/berth/hostagent/vm"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/machineapi"
	"github.com/berthhq/berth/internal/paths"
	"github.com/berthhq/berth/vmimage/manifest"
)

// host is a computer with berth on it.
type host struct {
	t         *testing.T
	h         *hypervisor
	layout    paths.Machine
	installed string
	digest    string
}

func newHost(t *testing.T) *host {
	t.Helper()
	dir, err := os.MkdirTemp("", "agent") // short: it has sockets in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	h := &host{t: t, h: &hypervisor{}, layout: paths.Machine{Name: "test", Dir: filepath.Join(dir, "m")}, installed: t.TempDir()}
	h.install("one")
	return h
}

// install puts an image there whose kernel says so.
func (h *host) install(kernel string) {
	h.t.Helper()
	m := manifest.Manifest{Format: manifest.Format, Arch: "amd64", Kernel: kernel}
	for role, text := range map[string]string{manifest.Kernel: kernel, manifest.Initrd: "initrd"} {
		file := filepath.Join(h.installed, role)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			h.t.Fatal(err)
		}
		p, err := manifest.Describe(role, file)
		if err != nil {
			h.t.Fatal(err)
		}
		m.Parts = append(m.Parts, p)
	}
	b, err := m.Encode()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(h.installed, manifest.Name), b, 0o644); err != nil {
		h.t.Fatal(err)
	}
	h.digest = manifest.Digest(b)
}

// agent starts an agent, with its sockets; end ends it as SIGTERM would.
func (h *host) agent() (a *hostagent.Agent, end func()) {
	h.t.Helper()
	a, err := hostagent.New(hostagent.Config{
		Layout: h.layout, Drivers: map[string]vm.Driver{"test": h.h}, Driver: "test", Arch: "amd64", Digest: h.digest,
		Images: bootimage.Store{Installed: h.installed, Kept: h.layout.ImagesDir()}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var served sync.WaitGroup
	served.Go(func() {
		if err := a.Serve(ctx); err != nil {
			h.t.Error(err)
		}
	})
	end = sync.OnceFunc(func() { cancel(); served.Wait(); a.Close() })
	h.t.Cleanup(end)
	return a, end
}

// client speaks with the agent once it serves.
func (h *host) client() *machineapi.Client {
	h.t.Helper()
	c := machineapi.NewClient(h.layout.AgentSocket())
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := c.Machine(h.t.Context()); err == nil {
			return c
		} else if time.Now().After(end) {
			h.t.Fatal(err)
		}
	}
}

// asksEngine makes one request of the Docker API.
func (h *host) asksEngine() string {
	h.t.Helper()
	c := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", h.layout.DockerSocket())
	}}}
	defer c.CloseIdleConnections()
	resp, err := c.Get("http://engine/_ping")
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return string(b)
}

func (h *host) is(c *machineapi.Client, want machineapi.State) machineapi.Machine {
	h.t.Helper()
	m, err := c.Machine(h.t.Context())
	if err != nil || m.State != want {
		h.t.Fatalf("the machine is %q (%s), %v; want %q", m.State, m.Reason, err, want)
	}
	return m
}

func TestTheLifeOfAMachine(t *testing.T) {
	h := newHost(t)
	a, _ := h.agent()
	c := h.client()
	h.is(c, machineapi.Absent)
	var s steps
	for range 2 { // every verb may be said again
		m, err := c.Start(t.Context(), s.say)
		if err != nil || m.State != machineapi.Running || m.Kernel != "one" || !m.Engine || m.PID != 4711 {
			t.Fatalf("%+v, %v", m, err)
		}
	}
	if got := h.asksEngine(); got != "one" {
		t.Errorf("the engine says %q", got)
	}
	if m, err := c.Restart(t.Context(), s.say); err != nil || m.State != machineapi.Running {
		t.Fatalf("%+v, %v", m, err)
	}
	if m, err := c.Reset(t.Context(), s.say); err != nil || m.State != machineapi.Stopped {
		t.Fatalf("%+v, %v", m, err)
	}
	if _, err := os.Stat(h.layout.DataDisk()); !os.IsNotExist(err) {
		t.Errorf("the data disk after a reset: %v", err)
	}
	if m, err := c.Stop(t.Context(), machineapi.Stop{}, s.say); err != nil || m.State != machineapi.Stopped {
		t.Fatalf("%+v, %v", m, err)
	}
	select {
	case <-a.Stopped():
	case <-time.After(10 * time.Second):
		t.Error("the agent of a stopped machine goes on")
	}
	if boots, _ := h.h.started(); len(boots) != 2 {
		t.Errorf("started %v", boots)
	}
}

func TestACommandStartsTheMachine(t *testing.T) {
	h := newHost(t)
	h.agent()
	h.client()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if got := h.asksEngine(); got != "one" {
				t.Errorf("the engine says %q", got)
			}
		})
	}
	all.Wait()
	if boots, _ := h.h.started(); len(boots) != 1 {
		t.Errorf("20 commands started %d machines", len(boots))
	}
}

func TestAMachineThatDiesIsStartedByTheNextCommand(t *testing.T) {
	h := newHost(t)
	_, end := h.agent()
	c := h.client()
	h.asksEngine()
	h.h.only().end(vm.Exit{Reason: vm.Failed, Detail: "signal: killed"})
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if m, err := c.Machine(t.Context()); err == nil && m.State == machineapi.Stopped {
			break
		}
	}
	if m := h.is(c, machineapi.Stopped); !strings.Contains(m.Reason, "signal: killed") {
		t.Errorf("it ended for %q", m.Reason)
	}
	end() // the next agent knows it as well
	h.agent()
	c = h.client()
	var s steps
	if _, err := c.Start(t.Context(), s.say); err != nil || !s.said("had ended by itself: failed: signal: killed") {
		t.Errorf("%v, said %v", err, s.text)
	}
	if m := h.is(c, machineapi.Running); m.Reason != "" {
		t.Errorf("still says %q", m.Reason)
	}
}

func TestTheMachineOutlivesItsAgent(t *testing.T) {
	h := newHost(t)
	_, end := h.agent()
	h.client()
	h.asksEngine()
	end()
	if h.h.only() == nil {
		t.Fatal("the machine went with its agent")
	}
	h.agent()
	h.client()
	if got := h.asksEngine(); got != "one" {
		t.Errorf("the engine says %q", got)
	}
	if boots, _ := h.h.started(); len(boots) != 1 {
		t.Errorf("started %v", boots)
	}
}

func TestAnAgentStopsWhatAnotherStarted(t *testing.T) {
	h := newHost(t)
	_, end := h.agent()
	h.client()
	h.asksEngine()
	end()
	h.agent()
	var s steps
	if m, err := h.client().Stop(t.Context(), machineapi.Stop{}, s.say); err != nil || m.State != machineapi.Stopped || h.h.only() != nil {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestWhatDoesNotWorkIsRemembered(t *testing.T) {
	h := newHost(t)
	h.h.hangs = map[vm.Accelerator]bool{vm.KVM: true}
	defer hostagent.Waits(50*time.Millisecond, 10*time.Second, 10*time.Second)()
	h.agent()
	c := h.client()
	var first, second steps
	if _, err := c.Start(t.Context(), first.say); err != nil || !first.said("kvm does not work here") {
		t.Fatalf("%v, said %v", err, first.text)
	}
	if _, err := c.Restart(t.Context(), second.say); err != nil || second.said("kvm") {
		t.Errorf("%v, said %v", err, second.text)
	}
	if _, tried := h.h.started(); len(tried) != 3 || tried[2] != vm.Emulation {
		t.Errorf("tried %v", tried)
	}
}

func TestAnImageThatDoesNotWorkIsGoneBackFrom(t *testing.T) {
	h := newHost(t)
	defer hostagent.Waits(50*time.Millisecond, 100*time.Millisecond, 10*time.Second)()
	_, end := h.agent()
	h.client()
	if got := h.asksEngine(); got != "one" {
		t.Fatalf("the engine says %q", got)
	}
	h.h.only().end(vm.Exit{Reason: vm.Killed})
	end()
	h.install("two") // berth is upgraded, and its image is no good
	h.h.bad = "two"
	_, end = h.agent()
	var s steps
	if m, err := h.client().Start(t.Context(), s.say); err != nil || m.Kernel != "one" || !s.said("going back to the one before") {
		t.Fatalf("%+v, %v, said %v", m, err, s.text)
	}
	if m, err := h.client().Restart(t.Context(), s.say); err != nil || m.Kernel != "one" {
		t.Fatalf("%+v, %v", m, err)
	}
	if boots, _ := h.h.started(); !slices.Equal(boots, []string{"one", "two", "two", "one", "one"}) {
		t.Errorf("booted %v", boots)
	}
	h.h.only().end(vm.Exit{Reason: vm.Killed})
	end()
	h.install("three") // and upgraded again, to one that works: the old image may go after the next
	h.agent()
	if m, err := h.client().Start(t.Context(), s.say); err != nil || m.Kernel != "three" {
		t.Fatalf("%+v, %v", m, err)
	}
}

func TestABrokenMachineSaysWhy(t *testing.T) {
	h := newHost(t)
	h.h.noEngine = true
	defer hostagent.Waits(time.Second, time.Second, 50*time.Millisecond)()
	h.agent()
	c := h.client()
	_, err := c.Start(t.Context(), func(string) {})
	if errdefs.KindOf(err) != errdefs.KindUnavailable || !strings.Contains(err.Error(), "does not answer") || errdefs.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
	h.is(c, machineapi.Broken)
	if got := h.asksEngine(); !strings.Contains(got, "does not answer") { // a docker client is told as well
		t.Errorf("a client reads %q", got)
	}
	found, err := c.Doctor(t.Context())
	if err != nil || !slicesContain(found, "The machine is broken") || !slicesContain(found, "engine in the machine does not answer") {
		t.Errorf("%+v, %v", found, err)
	}
	h.h.noEngine = false
	if m, err := c.Restart(t.Context(), func(string) {}); err != nil || m.State != machineapi.Running {
		t.Errorf("%+v, %v", m, err)
	}
}

func slicesContain(all []machineapi.Finding, text string) bool {
	for _, f := range all {
		if strings.Contains(f.Text, text) && !f.OK && f.Help != "" {
			return true
		}
	}
	return false
}

// advised is a driver's error that knows what helps.
type advised struct{ error }

func (advised) Hint() string { return "Turn the hypervisor on." }

func TestADriversAdviceReachesThePerson(t *testing.T) {
	for want, refusal := range map[string]error{
		"Turn the hypervisor on.": fmt.Errorf("creating: %w", advised{errors.New("no hypervisor")}),
		"berth machine doctor":    errors.New("no hypervisor"),
	} {
		h := newHost(t)
		h.h.refuses = refusal
		h.agent()
		_, err := h.client().Start(t.Context(), func(string) {})
		if err == nil || !strings.Contains(err.Error(), "machine test: ") || errdefs.HintOf(err) != want {
			t.Errorf("%v, advice %q; want %q", err, errdefs.HintOf(err), want)
		}
	}
}

func TestADamagedImageIsRefused(t *testing.T) {
	h := newHost(t)
	if err := os.WriteFile(filepath.Join(h.installed, manifest.Kernel), []byte("evil"), 0o644); err != nil {
		t.Fatal(err)
	}
	h.agent()
	_, err := h.client().Start(t.Context(), func(string) {})
	if err == nil || !strings.Contains(err.Error(), "not the one berth was built with") {
		t.Errorf("%v", err)
	}
	if boots, _ := h.h.started(); len(boots) > 0 {
		t.Errorf("started %v", boots)
	}
}

func TestNoAgentIsAnErrorOfItsOwn(t *testing.T) {
	if _, err := machineapi.NewClient(filepath.Join(t.TempDir(), "no.sock")).Machine(t.Context()); !errors.Is(err, machineapi.ErrNoAgent) {
		t.Errorf("%v", err)
	}
}
