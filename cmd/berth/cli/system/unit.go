package system

// Unit is berth.service for an engine that lies at a path, as install writes it; packages bring the same.
func Unit(engine string) string { return unit(engine) }
