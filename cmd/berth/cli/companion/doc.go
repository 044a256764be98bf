// Package companion has the verbs that other programs carry out: Compose and buildx are far larger than berth, which
// would start slower with them inside. They lie beside berth and are told which engine was chosen.
package companion
