// Package config is the engine's configuration file, with the key names of docker's daemon.json. An unknown key is
// refused by its name: a setting that silently does nothing is worse than an error. It must not import the engine.
package config
