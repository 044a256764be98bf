// Command berth-init is the small static program of a container's first process. As "berth-init -- command args" it is
// what --init asks for: it starts the command, passes signals on to it, reaps orphans and ends as the command does. As
// "berth-stage" it is the supervisor's parked process (package stage). It must stay small: it is started for every
// container. It is Linux only and needs no cgo.
package main
