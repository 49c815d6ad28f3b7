package dbtest

import (
	"os"
	"syscall"
)

// memoryDir is Linux's folder in memory.
const memoryDir = "/dev/shm"

// memoryWanted is what has to be free there, in bytes: the private server takes some
// hundred megabytes, tests with many rows at once as much again, and the machine
// should not notice.
const memoryWanted = 4 << 30

// tempDir is where the private server lies. A test's database is hundreds of files that
// come and go, and ext4 looks long for the place of a new file where many were deleted
// a moment ago: in memory a database is there in half the time or less. A temporary
// folder that somebody has chosen is theirs to choose, and containers often have but
// little of this memory.
func tempDir() string {
	var fs syscall.Statfs_t
	if os.Getenv("TMPDIR") != "" || syscall.Statfs(memoryDir, &fs) != nil || fs.Type != tmpfsMagic || fs.Bavail*uint64(fs.Bsize) < memoryWanted {
		return os.TempDir()
	}
	return memoryDir
}

// tmpfsMagic is what statfs(2) says of a tmpfs.
const tmpfsMagic = 0x01021994
