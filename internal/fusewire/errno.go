package fusewire

import "fmt"

// Errno is an error number of Linux, which the guest runs whatever the host is.
type Errno uint32

// The errors that the server or the relay answer with by name; others pass through as numbers.
const (
	OK           Errno = 0
	EPERM        Errno = 1
	ENOENT       Errno = 2
	EINTR        Errno = 4
	EIO          Errno = 5
	EBADF        Errno = 9
	EAGAIN       Errno = 11
	ENOMEM       Errno = 12
	EACCES       Errno = 13
	EEXIST       Errno = 17
	EXDEV        Errno = 18
	ENOTDIR      Errno = 20
	EISDIR       Errno = 21
	EINVAL       Errno = 22
	ENFILE       Errno = 23
	EFBIG        Errno = 27
	ENOSPC       Errno = 28
	EROFS        Errno = 30
	ERANGE       Errno = 34
	ENAMETOOLONG Errno = 36
	ENOLCK       Errno = 37
	ENOSYS       Errno = 38
	ENOTEMPTY    Errno = 39
	ELOOP        Errno = 40
	ENODATA      Errno = 61
	EPROTO       Errno = 71
	EOPNOTSUPP   Errno = 95
	ENOTCONN     Errno = 107
	ESTALE       Errno = 116
)

// Error gives the number: the guest's C library has the words.
func (e Errno) Error() string { return fmt.Sprintf("errno %d", uint32(e)) }
