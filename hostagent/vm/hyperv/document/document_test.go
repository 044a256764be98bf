package document_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/berthhq/berth/hostagent/vm/hyperv/document"
)

const user = "S-1-5-21-1004336348-1177238915-682003330-1001"

func machine(arch string) document.Machine {
	return document.Machine{
		Owner: "berth", User: user, Arch: arch, Kernel: `C:\Users\x y\m\kernel`, Initrd: `C:\Users\x y\m\initrd`,
		Cmdline: []string{"quiet"}, Memory: 2 << 30, CPUs: 2, Console: `\\.\pipe\berth-console`,
		Disks: []document.Disk{{Path: `C:\Users\x y\m\data.vhdx`}, {Path: `C:\r.vhdx`, ReadOnly: true}},
	}
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestEveryBuildTakesItsDocument is the check against the published schemas, and against builds between and after them.
func TestEveryBuildTakesItsDocument(t *testing.T) {
	builds := append(document.Builds(), 18363, 19045, 22631, 26100)
	for _, arch := range []string{"amd64", "arm64"} {
		for _, b := range builds {
			s, err := document.Compose(machine(arch), b)
			if arch == "amd64" && b < document.Windows1903 {
				if unfit, ok := errors.AsType[*document.UnfitError](err); !ok || unfit.Build != b {
					t.Errorf("%s, %d: %v", arch, b, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s, %d: %v", arch, b, err)
				continue
			}
			if err := document.Check(document.RootSystem, encode(t, s), b); err != nil {
				t.Errorf("%s, %d: %v", arch, b, err)
			}
			if o := document.PowerButton(b); o != nil {
				if err := document.Check(document.RootShutdown, encode(t, o), b); err != nil {
					t.Errorf("power button, %d: %v", b, err)
				}
			}
		}
	}
	if _, err := document.Compose(machine("arm64"), 17134); err == nil {
		t.Error("a Windows without the service is taken")
	}
}

// TestANewerDocumentIsRefused shows that the fields are gated for a reason: an older build does not know them.
func TestANewerDocumentIsRefused(t *testing.T) {
	s, err := document.Compose(machine("amd64"), document.Windows11)
	if err != nil {
		t.Fatal(err)
	}
	for b, want := range map[document.Build]string{
		document.Windows1903: "SupportCompressedVolumes: Windows build 18362 does not know it",
		document.Windows1809: "LinuxKernelDirect: Windows build 17763 does not know it",
	} {
		if err := document.Check(document.RootSystem, encode(t, s), b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %v", b, err)
		}
	}
	for _, b := range document.Builds() {
		if got := document.PowerButton(b) != nil; got != (b >= document.Server2022) {
			t.Errorf("the power button of build %d has options: %v", b, got)
		}
	}
}

func TestTheDocumentSaysWhatIsMeant(t *testing.T) {
	s, err := document.Compose(machine("amd64"), document.Windows11)
	if err != nil {
		t.Fatal(err)
	}
	got := string(encode(t, s))
	for _, want := range []string{
		`"SchemaVersion":{"Major":2,"Minor":7}`, `"StopOnReset":true`, `"SizeInMB":2048`, `"Count":2`,
		`"AllowOvercommit":true,"EnableDeferredCommit":true,"EnableColdDiscardHint":true`,
		`"KernelCmdLine":"console=ttyS0 page_reporting.page_reporting_order=9 panic=-1 hv_utils.timesync_implicit=1 quiet"`,
		`"DefaultConnectSecurityDescriptor":"D:P(A;;FA;;;SY)(A;;FA;;;` + user + `)"`,
		`"0":{"Type":"VirtualDisk","Path":"C:\\Users\\x y\\m\\data.vhdx"`, `"ReadOnly":true`, `"ComPorts":{"0":{"NamedPipe":"\\\\.\\pipe\\berth-console"}}`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	if strings.Contains(got, "Uefi") || strings.Contains(got, "ShouldTerminate") {
		t.Errorf("%s", got)
	}
	arm, err := document.Compose(machine("arm64"), document.Windows11)
	if err != nil {
		t.Fatal(err)
	}
	entry := arm.VirtualMachine.Chipset.Uefi.BootThis
	if entry.VmbFsRootPath != `C:\Users\x y\m` || entry.DevicePath != `\kernel` || !strings.HasPrefix(entry.OptionalData, `initrd=\initrd console=ttyAMA0 `) {
		t.Errorf("%+v", entry)
	}
}

func TestWhatMakesNoSenseIsRefused(t *testing.T) {
	for want, change := range map[string]func(*document.Machine){
		"not the SID":            func(m *document.Machine) { m.User = "WD" },
		"is not the SID":         func(m *document.Machine) { m.User = user + ")(A;;FA;;;WD" },
		"a multiple of 2 MiB":    func(m *document.Machine) { m.Memory = 2<<30 + 1<<20 },
		"0 processors":           func(m *document.Machine) { m.CPUs = 0 },
		"65 disks":               func(m *document.Machine) { m.Disks = make([]document.Disk, 65) },
		`architecture "riscv"`:   func(m *document.Machine) { m.Arch = "riscv" },
		"not in one directory":   func(m *document.Machine) { m.Arch, m.Initrd = "arm64", `D:\initrd` },
		"architecture \"\": onl": func(m *document.Machine) { m.Arch = "" },
	} {
		m := machine("amd64")
		change(&m)
		if _, err := document.Compose(m, document.Windows11); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}

// TestTheCheckerIsStrict seeds mistakes.
func TestTheCheckerIsStrict(t *testing.T) {
	s, err := document.Compose(machine("amd64"), document.Windows11)
	if err != nil {
		t.Fatal(err)
	}
	good := string(encode(t, s))
	for want, change := range map[string][2]string{
		"Attachments/0/Type: VirtualDisc is no value":      {"VirtualDisk", "VirtualDisc"},
		"LinuxKernelDirect/InitRd: no such field":          {"InitRdPath", "InitRd"},
		"Memory/SizeInMB: 2048 is not uint64":              {`"SizeInMB":2048`, `"SizeInMB":"2048"`},
		"SizeInMB: 20.5 is not uint64":                     {`"SizeInMB":2048`, `"SizeInMB":20.5`},
		"Processor/Count: -1 is not uint32":                {`"Count":2`, `"Count":-1`},
		"Processor/Count: 4294967296 is not uint32":        {`"Count":2`, `"Count":4294967296`},
		"StopOnReset: 1 is not boolean":                    {`"StopOnReset":true`, `"StopOnReset":1`},
		"ComputeSystem/Owner: <nil> is not string":         {`"Owner":"berth"`, `"Owner":null`},
		"Devices/ComPorts: not an object":                  {`"ComPorts":{"0":`, `"ComPorts":[],"Plan9":{"x":`},
		"ComputeSystem/owner: no such field":               {`"Owner"`, `"owner"`},
		"ComputeSystem/Container: no such field":           {`"Owner":"berth"`, `"Container":{}`},
		"SchemaVersion/Major: [2] is not uint32":           {`"Major":2`, `"Major":[2]`},
		"HvSocketConfig/DefaultBind: no such field":        {"DefaultBindSecurityDescriptor", "DefaultBind"},
		"Devices/KernelIntegration: Windows build 22000 d": {`"Devices":{`, `"Devices":{"KernelIntegration":{},`},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if bad == good {
			t.Fatalf("nothing is changed for %q", want)
		}
		if err := document.Check(document.RootSystem, []byte(bad), document.Windows11); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	for _, bad := range []string{"", "{", good + "{}", "[]", "null"} {
		if err := document.Check(document.RootSystem, []byte(bad), document.Windows11); err == nil {
			t.Errorf("%.20q passes", bad)
		}
	}
	if err := document.Check("Nothing", []byte("{}"), document.Windows11); err == nil {
		t.Error("an unknown root passes")
	}
}

func TestServiceOfAPort(t *testing.T) {
	for port, want := range map[uint32]string{
		1025: "00000401-facb-11e6-bd58-64006a7986d3", 0xffffffff: "ffffffff-facb-11e6-bd58-64006a7986d3",
	} {
		if got := document.Service(port); got != want {
			t.Errorf("%d: %s", port, got)
		}
	}
}

func TestIdentity(t *testing.T) {
	id := document.Identity(`C:\Users\x\AppData\Local\berth\machines\default`)
	if id != document.Identity(`c:\users\X\AppData\Local\berth\machines\default`) || id == document.Identity(`C:\Users\y`) {
		t.Errorf("%s", id)
	}
	var a, b, c, d, e uint64
	if n, err := fmt.Sscanf(id, "%08x-%04x-5%03x-%04x-%012x", &a, &b, &c, &d, &e); n != 5 || err != nil || len(id) != 36 {
		t.Errorf("%s is no UUID of version 5: %v", id, err)
	}
	if got, want := document.VirtualMachineSID("01020304-0506-0708-090a-0b0c0d0e0f10"), "S-1-5-83-1-16909060-117966086-202050057-269422093"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func FuzzCheck(f *testing.F) {
	s, err := document.Compose(document.Machine{Owner: "o", User: user, Arch: "amd64", Kernel: "k", Memory: 2 << 20, CPUs: 1}, document.Windows11)
	if err != nil {
		f.Fatal(err)
	}
	b, err := json.Marshal(s)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"VirtualMachine":{"Devices":{"Scsi":{"0":null}}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, build := range document.Builds() {
			if err := document.Check(document.RootSystem, b, build); err == nil && !json.Valid(b) {
				t.Errorf("%q passes", b)
			}
		}
	})
}
