// Package fusewire is what the file relay in the guest and the file server on the host say to each other: messages of
// Linux' FUSE protocol as the guest's kernel writes and reads them, and the few frames of our own around them. It touches
// no file and knows no operating system: numbers are those of Linux wherever it runs.
//
// The host opens every stream. The first thing on it is a Hello, which the guest answers with a Welcome; both are a
// length (u32, little endian like everything here) and JSON. Then, by the Hello's role:
//
//	worker   guest to host: requests as read from /dev/fuse; host to guest: answers as to be written to it. Both begin
//	         with their own length. Answers come in any order and belong to the stream of their request.
//	notify   host to guest: Frame: length u32, kind u32, id u64, body. Guest to host, once a frame is done: Ack: id u64,
//	         error u32. A frame of kind FrameRaw has a notification for /dev/fuse as its body, FrameEvent an Event,
//	         FrameForget nothing: the guest drops the names that it remembers as missing,
//	         FrameEnd nothing: the guest unmounts the share.
//
// A share has any number of workers and one notify stream.
package fusewire
