// Package container holds the verbs that work on containers, one a file. It talks to the engine through the API's
// client alone and knows nothing of how an engine works.
package container
