package main

// What packages and manifests say of berth.
const (
	homepage    = "https://github.com/berthhq/berth"
	license     = "Apache-2.0"
	summary     = "Run Linux containers"
	description = "berth runs Linux containers with one command line. Its engine speaks the Docker Engine API."
)

// url is where a release's file is fetched from.
func (r *release) url(file string) string {
	return homepage + "/releases/download/v" + r.fileVersion() + "/" + file
}
