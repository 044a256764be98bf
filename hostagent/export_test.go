package hostagent

import "time"

// Waits changes how long a start waits for hardware, emulation and the engine, and gives what changes it back.
func Waits(hardware, emulation, engine time.Duration) (back func()) {
	a, b, c := hardwareWait, emulationWait, engineWait
	hardwareWait, emulationWait, engineWait = hardware, emulation, engine
	return func() { hardwareWait, emulationWait, engineWait = a, b, c }
}
