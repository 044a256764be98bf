package main

import "regexp"

// reason says why rows need no test.
type reason struct {
	rows *regexp.Regexp // of "endpoint kind name"
	why  string
}

var reasons = []reason{
	{regexp.MustCompile(` (request|response) (.*\.)?(CpuCount|CpuPercent|CPUCount|CPUPercent|IOMaximumIOps|IOMaximumBandwidth|Isolation|CredentialSpec)$`), "Windows only"},
	{regexp.MustCompile(` response (.*\.)?(storage_stats|num_procs|read_count_normalized|read_size_bytes|write_count_normalized|write_size_bytes|commitbytes|commitpeakbytes|privateworkingset)(\..*)?$`), "Windows only"},
	{regexp.MustCompile(` response (.*\.)?(Swarm\..*|ClusterVolume(\..*)?|ClusterVolumeSpec(\..*)?)$`), "only in a swarm"},
	{regexp.MustCompile(` request ClusterVolumeSpec(\..*)?$`), "only in a swarm"},
	{regexp.MustCompile(`^PUT /volumes/\{name\} `), "only in a swarm"},
	{regexp.MustCompile(`^GET /networks\S* response (.*\.|\[\]\.)?(Peers|Services)(\W.*)?$`), "only in a swarm"},
	{regexp.MustCompile(`^GET /info response GenericResources(\W.*)?$`), "only in a swarm"},
	{regexp.MustCompile(` response networks\{\}\.(endpoint_id|instance_id)$`), "Windows only"},
	{regexp.MustCompile(`^GET /containers/json response \[\]\.NetworkSettings\.Networks\{\}\.(Aliases|DNSNames|DriverOpts(\{\})?|Links|IPAMConfig\.LinkLocalIPs)$`), "a list does not tell it, nor does dockerd's"},
	{regexp.MustCompile(` response GraphDriver\.Data(\{\})?$`), "null in the containerd image store"},
	{regexp.MustCompile(` response blkio_stats\.(io_merged|io_queue|io_service_time|io_time|io_wait_time|sectors)_recursive\[\]\..*$`), "empty but on kernels with CFQ, or BFQ's debug figures"},
	{regexp.MustCompile(` response HostConfig\.BlkioWeightDevice\[\]\..*$`), "discarded but on kernels with weights of devices"},
	{regexp.MustCompile(`^(GET|POST) /volumes\S* response (Volumes\[\]\.)?Status(\{\})?$`), "the local driver has none"},
	{regexp.MustCompile(`^(GET|POST) /volumes\S* response (Volumes\[\]\.)?UsageData(\..*)?$`), "only in system/df, as dockerd's"},
	{regexp.MustCompile(`^GET /volumes response Warnings$`), "null: the local driver warns of nothing"},
	{regexp.MustCompile(`^GET /info response Containerd(\..*)?$`), "containerd is in the engine's process, without a socket"},
	{regexp.MustCompile(`^GET /info response FirewallBackend\.Info$`), "only with firewalld"},
	{regexp.MustCompile(`^GET /info response NRI(\..*)?$`), "only where NRI plug-ins are allowed"},
	{regexp.MustCompile(`^GET /info response Plugins\.Authorization$`), "null: there are no plug-ins"},
	{regexp.MustCompile(`^GET /info response Runtimes\{\}\.runtimeArgs$`), "the one runtime takes none"},
	{regexp.MustCompile(`^GET /distribution/\{name\}/json response Descriptor\.(annotations(\{\})?|artifactType|data|platform(\..*)?|urls)$`), "a registry tells type, digest and size alone"},
	{regexp.MustCompile(`^POST /containers/\{id\}/update response Warnings$`), "null but on machines that lack a controller"},
	{regexp.MustCompile(`^GET /version response Experimental$`), "false, which is left out"},
	{regexp.MustCompile(`^GET /info response ProductLicense$`), "no product, as in distributions' builds of dockerd"},
	{regexp.MustCompile(`^POST /build query squash$`), "refused but in dockerd's experimental mode"},
	{regexp.MustCompile(`^POST /containers/\{id\}/start query detachKeys$`), "a start attaches nothing; dockerd does not read it either"},
}

// excuse is why a row needs no test, "" where it does.
func excuse(e *endpoint, r row) string {
	for _, x := range reasons {
		if x.rows.MatchString(e.key + " " + string(r.kind) + " " + r.name) {
			return x.why
		}
	}
	return ""
}
