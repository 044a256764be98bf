// Package events publishes what happens in the engine and replays the recent past.
package events
