// Package system holds the verbs about the engine as a whole, and those that work on objects of any kind. It talks
// to the engine through the API's client alone.
package system
