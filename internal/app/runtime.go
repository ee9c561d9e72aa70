package app

import (
	"runtime"
	"sync"
)

// raiseProcessors gives Go's scheduler more processors than the machine has, for
// threads that wait in system calls: such a thread holds one of them for a while,
// and nobody else works on it. More cost little, as the system still has its cores
// only.
// Where $GOMAXPROCS says how many, that holds.
func raiseProcessors(getenv func(string) string, more int) {
	if want := processors() + more; getenv("GOMAXPROCS") == "" && runtime.GOMAXPROCS(0) < want {
		runtime.GOMAXPROCS(want)
	}
}

// processors is how many the process began with: the machine's, or what it may use
// of them.
var processors = sync.OnceValue(func() int { return runtime.GOMAXPROCS(0) })

// diskThreads is by how much the processors are raised for a file's one writer,
// which waits for the disk most of the time: on two cores, checks were 5 to 15 %
// more a second with 2 more, and no more with 4.
const diskThreads = 2

// roomyHeap has the garbage collector come when 128 MB more than at the last time
// are in use, or as much again as then where that is more: beside the few MB of an
// idle server it would come many times a second under load. What it gives must be
// kept for as long; nil where $GOGC or $GOMEMLIMIT say something else.
func roomyHeap(getenv func(string) string) []byte {
	if getenv("GOGC") != "" || getenv("GOMEMLIMIT") != "" {
		return nil
	}
	// Nothing is ever written there, so it is no memory of the machine's; but the
	// collector counts it as in use, and lets the heap grow by as much again.
	return make([]byte, 128<<20)
}
