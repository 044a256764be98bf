package api

// Routes is everything the API serves, in the order of the documents.
func Routes() []Route {
	var all []Route
	for _, group := range [][]Route{
		systemRoutes(), containerRoutes(), streamRoutes(), imageRoutes(), networkRoutes(), volumeRoutes(), buildRoutes(),
		swarmRoutes(), pluginRoutes(), ownRoutes(),
	} {
		all = append(all, group...)
	}
	return all
}

func systemRoutes() []Route {
	return []Route{
		{Method: "HEAD", Path: "/_ping", Noun: "system", Summary: "Is the engine there, and in which version", serve: (*Server).ping},
		{Method: "GET", Path: "/_ping", Noun: "system", Summary: "Is the engine there, and in which version", serve: (*Server).ping},
		{Method: "GET", Path: "/version", Noun: "system", Summary: "Versions of the engine and its parts", serve: (*Server).systemVersion},
		{Method: "GET", Path: "/info", Noun: "system", Summary: "The engine's settings and its machine", serve: (*Server).systemInfo},
		{Method: "GET", Path: "/events", Noun: "system", Summary: "What happens, as it happens", Stream: true, serve: (*Server).systemEvents},
		{Method: "GET", Path: "/system/df", Noun: "system", Summary: "Disk usage", Since: 25, serve: (*Server).systemDF},
		{Method: "POST", Path: "/auth", Noun: "system", Summary: "Try credentials at a registry", serve: (*Server).registryLogin},
	}
}

func containerRoutes() []Route {
	return []Route{
		{Method: "GET", Path: "/containers/json", Noun: "container", Summary: "List containers", serve: (*Server).containerList},
		{Method: "POST", Path: "/containers/create", Noun: "container", Summary: "Create a container", serve: (*Server).containerCreate},
		{Method: "POST", Path: "/containers/prune", Noun: "container", Summary: "Remove stopped containers", Since: 25, serve: (*Server).containerPrune},
		{Method: "GET", Path: "/containers/{id}/json", Noun: "container", Summary: "Inspect a container", serve: (*Server).containerInspect},
		{Method: "GET", Path: "/containers/{id}/top", Noun: "container", Summary: "List a container's processes", serve: (*Server).containerTop},
		{Method: "GET", Path: "/containers/{id}/changes", Noun: "container", Summary: "What a container changed in its file system", serve: (*Server).containerChanges},
		{Method: "GET", Path: "/containers/{id}/export", Noun: "container", Summary: "A container's file system as a tar", serve: (*Server).containerExport},
		{Method: "POST", Path: "/containers/{id}/start", Noun: "container", Summary: "Start a container", serve: (*Server).containerStart},
		{Method: "POST", Path: "/containers/{id}/stop", Noun: "container", Summary: "Stop a container", serve: (*Server).containerStop},
		{Method: "POST", Path: "/containers/{id}/restart", Noun: "container", Summary: "Stop and start a container", serve: (*Server).containerRestart},
		{Method: "POST", Path: "/containers/{id}/kill", Noun: "container", Summary: "Send a container a signal", serve: (*Server).containerKill},
		{Method: "POST", Path: "/containers/{id}/update", Noun: "container", Summary: "Change a container's limits", serve: (*Server).containerUpdate},
		{Method: "POST", Path: "/containers/{id}/rename", Noun: "container", Summary: "Rename a container", serve: (*Server).containerRename},
		{Method: "POST", Path: "/containers/{id}/pause", Noun: "container", Summary: "Freeze a container's processes", serve: (*Server).containerPause},
		{Method: "POST", Path: "/containers/{id}/unpause", Noun: "container", Summary: "Let a container's processes go on", serve: (*Server).containerUnpause},
		{Method: "POST", Path: "/containers/{id}/wait", Noun: "container", Summary: "Wait for a container's end", Stream: true, serve: (*Server).containerWait},
		{Method: "DELETE", Path: "/containers/{id}", Noun: "container", Summary: "Remove a container", serve: (*Server).containerRemove},
		{Method: "HEAD", Path: "/containers/{id}/archive", Noun: "container", Summary: "What a path in a container is", serve: (*Server).archiveStat},
		{Method: "GET", Path: "/containers/{id}/archive", Noun: "container", Summary: "A path in a container as a tar", serve: (*Server).archiveGet},
		{Method: "PUT", Path: "/containers/{id}/archive", Noun: "container", Summary: "Unpack a tar in a container", serve: (*Server).archivePut},
		{Method: "GET", Path: "/containers/{id}/checkpoints", Noun: "container", Summary: "Not supported", serve: (*Server).checkpointRefused},
		{Method: "POST", Path: "/containers/{id}/checkpoints", Noun: "container", Summary: "Not supported", serve: (*Server).checkpointRefused},
		{Method: "DELETE", Path: "/containers/{id}/checkpoints/{checkpoint}", Noun: "container", Summary: "Not supported", serve: (*Server).checkpointRefused},
	}
}

func streamRoutes() []Route {
	return []Route{
		{Method: "GET", Path: "/containers/{id}/logs", Noun: "container", Summary: "A container's output", Stream: true, serve: (*Server).containerLogs},
		{Method: "GET", Path: "/containers/{id}/stats", Noun: "container", Summary: "A container's use of resources", Stream: true, serve: (*Server).containerStats},
		{Method: "POST", Path: "/containers/{id}/attach", Noun: "container", Summary: "Attach to a container", Stream: true, Hijack: true, serve: (*Server).containerAttach},
		{Method: "GET", Path: "/containers/{id}/attach/ws", Noun: "container", Summary: "Attach over a websocket", Stream: true, Hijack: true, serve: (*Server).containerAttachWebsocket},
		{Method: "POST", Path: "/containers/{id}/resize", Noun: "container", Summary: "Resize a container's terminal", serve: (*Server).containerResize},
		{Method: "POST", Path: "/containers/{id}/exec", Noun: "exec", Summary: "Prepare a command in a container", serve: (*Server).execCreate},
		{Method: "POST", Path: "/exec/{id}/start", Noun: "exec", Summary: "Run a prepared command", Stream: true, Hijack: true, serve: (*Server).execStart},
		{Method: "POST", Path: "/exec/{id}/resize", Noun: "exec", Summary: "Resize a command's terminal", serve: (*Server).execResize},
		{Method: "GET", Path: "/exec/{id}/json", Noun: "exec", Summary: "Inspect a command", serve: (*Server).execInspect},
	}
}

func imageRoutes() []Route {
	return []Route{
		{Method: "GET", Path: "/images/json", Noun: "image", Summary: "List images", serve: (*Server).imageList},
		{Method: "POST", Path: "/images/create", Noun: "image", Summary: "Pull an image", serve: (*Server).imageCreate},
		{Method: "GET", Path: "/images/search", Noun: "image", Summary: "Search images", serve: (*Server).imageSearch},
		{Method: "GET", Path: "/images/get", Noun: "image", Summary: "Several images as a tar", serve: (*Server).imageSave},
		{Method: "POST", Path: "/images/load", Noun: "image", Summary: "Load images from a tar", serve: (*Server).imageLoad},
		{Method: "POST", Path: "/images/prune", Noun: "image", Summary: "Remove unused images", Since: 25, serve: (*Server).imagePrune},
		{Method: "GET", Path: "/images/{name}/json", Noun: "image", Summary: "Inspect an image", serve: (*Server).imageInspect},
		{Method: "GET", Path: "/images/{name}/history", Noun: "image", Summary: "How an image was built", serve: (*Server).imageHistory},
		{Method: "GET", Path: "/images/{name}/get", Noun: "image", Summary: "An image as a tar", serve: (*Server).imageSave},
		{Method: "GET", Path: "/images/{name}/attestations", Noun: "image", Summary: "Not supported yet", Since: 55, serve: (*Server).attestationsRefused},
		{Method: "POST", Path: "/images/{name}/push", Noun: "image", Summary: "Push an image", serve: (*Server).imagePush},
		{Method: "POST", Path: "/images/{name}/tag", Noun: "image", Summary: "Give an image another name", serve: (*Server).imageTag},
		{Method: "DELETE", Path: "/images/{name}", Noun: "image", Summary: "Remove an image or a name of it", serve: (*Server).imageRemove},
		{Method: "GET", Path: "/distribution/{name}/json", Noun: "distribution", Summary: "What a registry has under a name", Since: 30, serve: (*Server).distributionInspect},
		{Method: "POST", Path: "/commit", Noun: "image", Summary: "Make an image of a container", serve: (*Server).imageCommit},
	}
}

func networkRoutes() []Route {
	return []Route{
		{Method: "GET", Path: "/networks", Noun: "network", Summary: "List networks", serve: (*Server).networkList},
		{Method: "GET", Path: "/networks/", Noun: "network", Summary: "List networks", serve: (*Server).networkList},
		{Method: "POST", Path: "/networks/create", Noun: "network", Summary: "Create a network", serve: (*Server).networkCreate},
		{Method: "POST", Path: "/networks/prune", Noun: "network", Summary: "Remove unused networks", Since: 25, serve: (*Server).networkPrune},
		{Method: "POST", Path: "/networks/{id}/connect", Noun: "network", Summary: "Connect a container", serve: (*Server).networkConnect},
		{Method: "POST", Path: "/networks/{id}/disconnect", Noun: "network", Summary: "Disconnect a container", serve: (*Server).networkDisconnect},
		{Method: "GET", Path: "/networks/{id}", Noun: "network", Summary: "Inspect a network", serve: (*Server).networkInspect},
		{Method: "DELETE", Path: "/networks/{id}", Noun: "network", Summary: "Remove a network", serve: (*Server).networkRemove},
	}
}

func volumeRoutes() []Route {
	return []Route{
		{Method: "GET", Path: "/volumes", Noun: "volume", Summary: "List volumes", serve: (*Server).volumeList},
		{Method: "POST", Path: "/volumes/create", Noun: "volume", Summary: "Create a volume", serve: (*Server).volumeCreate},
		{Method: "POST", Path: "/volumes/prune", Noun: "volume", Summary: "Remove unused volumes", Since: 25, serve: (*Server).volumePrune},
		{Method: "GET", Path: "/volumes/{name}", Noun: "volume", Summary: "Inspect a volume", serve: (*Server).volumeInspect},
		{Method: "PUT", Path: "/volumes/{name}", Noun: "volume", Summary: "For cluster volumes only", Since: 42, serve: (*Server).volumeUpdate},
		{Method: "DELETE", Path: "/volumes/{name}", Noun: "volume", Summary: "Remove a volume", serve: (*Server).volumeRemove},
	}
}

func buildRoutes() []Route {
	return []Route{
		{Method: "POST", Path: "/build", Noun: "build", Summary: "Build an image", Stream: true, serve: (*Server).build},
		{Method: "POST", Path: "/build/cancel", Noun: "build", Summary: "End a build", serve: (*Server).buildCancel},
		{Method: "POST", Path: "/build/prune", Noun: "build", Summary: "Empty the build cache", Since: 31, serve: (*Server).buildPrune},
		{Method: "POST", Path: "/session", Noun: "build", Summary: "Serve a build with files and secrets", Stream: true, Hijack: true, serve: (*Server).buildSession},
		{Method: "POST", Path: "/grpc", Noun: "build", Summary: "BuildKit's own protocol", Stream: true, Hijack: true, serve: (*Server).buildControl},
	}
}

// swarmRoutes answer as dockerd does outside a swarm.
func swarmRoutes() []Route {
	routes := []Route{
		{Method: "POST", Path: "/swarm/init", Noun: "swarm", Summary: "Not supported", serve: (*Server).swarmJoin},
		{Method: "POST", Path: "/swarm/join", Noun: "swarm", Summary: "Not supported", serve: (*Server).swarmJoin},
		{Method: "POST", Path: "/swarm/leave", Noun: "swarm", Summary: "Not in a swarm", serve: (*Server).swarmLeave},
	}
	for _, r := range []struct{ method, path string }{
		{"GET", "/swarm"}, {"GET", "/swarm/unlockkey"}, {"POST", "/swarm/update"}, {"POST", "/swarm/unlock"},
		{"GET", "/services"}, {"POST", "/services/create"}, {"GET", "/services/{id}"}, {"GET", "/services/{id}/logs"},
		{"POST", "/services/{id}/update"}, {"DELETE", "/services/{id}"},
		{"GET", "/nodes"}, {"GET", "/nodes/{id}"}, {"POST", "/nodes/{id}/update"}, {"DELETE", "/nodes/{id}"},
		{"GET", "/tasks"}, {"GET", "/tasks/{id}"}, {"GET", "/tasks/{id}/logs"},
		{"GET", "/secrets"}, {"POST", "/secrets/create"}, {"GET", "/secrets/{id}"}, {"POST", "/secrets/{id}/update"}, {"DELETE", "/secrets/{id}"},
		{"GET", "/configs"}, {"POST", "/configs/create"}, {"GET", "/configs/{id}"}, {"POST", "/configs/{id}/update"}, {"DELETE", "/configs/{id}"},
	} {
		routes = append(routes, Route{Method: r.method, Path: r.path, Noun: "swarm", Summary: "Not in a swarm", serve: (*Server).notInSwarm})
	}
	return routes
}

func pluginRoutes() []Route {
	routes := []Route{
		{Method: "GET", Path: "/plugins", Noun: "plugin", Summary: "List plugins: none", Since: 25, serve: (*Server).pluginList},
		{Method: "GET", Path: "/plugins/{name}/json", Noun: "plugin", Summary: "There are none", Since: 25, serve: (*Server).pluginMissing},
		{Method: "DELETE", Path: "/plugins/{name}", Noun: "plugin", Summary: "There are none", Since: 25, serve: (*Server).pluginMissing},
		{Method: "GET", Path: "/plugins/privileges", Noun: "plugin", Summary: "Not supported", Since: 25, serve: (*Server).pluginRefused},
		{Method: "POST", Path: "/plugins/pull", Noun: "plugin", Summary: "Not supported", Since: 25, serve: (*Server).pluginRefused},
		{Method: "POST", Path: "/plugins/create", Noun: "plugin", Summary: "Not supported", Since: 25, serve: (*Server).pluginRefused},
	}
	for _, verb := range []string{"enable", "disable", "push", "set", "upgrade"} {
		routes = append(routes, Route{Method: "POST", Path: "/plugins/{name}/" + verb, Noun: "plugin", Summary: "There are none", Since: 25, serve: (*Server).pluginMissing})
	}
	return routes
}
