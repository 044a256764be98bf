package fusewire

// What is agreed on in INIT.
const (
	Major = 7
	Minor = 45
	// MinMinor is the oldest minor version that is served: Linux 5.2's.
	MinMinor = 31

	InitAsyncRead      = 1 << 0
	InitPosixLocks     = 1 << 1
	InitAtomicTrunc    = 1 << 3
	InitBigWrites      = 1 << 5
	InitFlock          = 1 << 10
	InitAutoInvalData  = 1 << 12
	InitReaddirplus    = 1 << 13
	InitReaddirAuto    = 1 << 14
	InitAsyncDIO       = 1 << 15
	InitParallelDirops = 1 << 18
	InitMaxPages       = 1 << 22
	InitCacheSymlinks  = 1 << 23
	InitNoOpendir      = 1 << 24
	InitExplicitInval  = 1 << 25
	InitKillprivV2     = 1 << 28
	InitExt            = 1 << 30
	InitExpireOnly     = 1 << 35
	InitDirectMmap     = 1 << 36
)

// MaxData is the most that one READ or WRITE carries; MaxMessage bounds every message on a stream.
const (
	MaxData    = 1 << 20
	MaxMessage = MaxData + 4096
)

// Flags of OPEN's and CREATE's answer.
const (
	OpenDirectIO  = 1 << 0
	OpenKeepCache = 1 << 1
	OpenCacheDir  = 1 << 3
	OpenNoFlush   = 1 << 5
)

// Which fields of SETATTR count.
const (
	SetMode     = 1 << 0
	SetUID      = 1 << 1
	SetGID      = 1 << 2
	SetSize     = 1 << 3
	SetAtime    = 1 << 4
	SetMtime    = 1 << 5
	SetFH       = 1 << 6
	SetAtimeNow = 1 << 7
	SetMtimeNow = 1 << 8
	SetCtime    = 1 << 10
	SetKillPriv = 1 << 11
)

// Other request flags.
const (
	GetattrFH       = 1 << 0
	WriteKillPriv   = 1 << 2
	ReleaseFlock    = 1 << 1
	LockFlock       = 1 << 0
	OpenKillPriv    = 1 << 0
	FsyncDataOnly   = 1 << 0
	EntryExpireOnly = 1 << 0
)

// Codes of notifications.
const (
	NotifyInvalInode = 2
	NotifyInvalEntry = 3
	NotifyIncEpoch   = 8
)

// Modes, as Linux has them.
const (
	ModeType    = 0o170000
	ModeFifo    = 0o010000
	ModeChar    = 0o020000
	ModeDir     = 0o040000
	ModeBlock   = 0o060000
	ModeRegular = 0o100000
	ModeSymlink = 0o120000
	ModeSocket  = 0o140000
)

// RootID is the node of a share's root.
const RootID = 1
