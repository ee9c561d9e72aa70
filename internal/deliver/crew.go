package deliver

import "sync"

// maxFree is how many goroutines without work are kept.
const maxFree = 128

// crew has work done by goroutines that stay for what comes next: the stack of a new
// one would have to grow again each time. Safe for concurrent use.
type crew struct {
	next chan func() // room for one for each that waits

	mu   sync.Mutex
	free int // those that wait, or are about to, for work that nobody has sent
}

func newCrew() *crew { return &crew{next: make(chan func(), maxFree)} }

// do has f done. It does not wait.
func (c *crew) do(f func()) {
	c.mu.Lock()
	waits := c.free > 0
	if waits {
		c.free--
	}
	c.mu.Unlock()
	if waits {
		c.next <- f
		return
	}
	go c.work(f)
}

// work does f and what comes after it.
func (c *crew) work(f func()) {
	for ok := true; ok; f, ok = <-c.next {
		f()
		f = nil // what it held is not kept while nothing comes
		c.mu.Lock()
		stays := c.free < maxFree
		if stays {
			c.free++
		}
		c.mu.Unlock()
		if !stays {
			return
		}
	}
}

// dismiss ends the goroutines, when everything is done and nothing comes any more.
func (c *crew) dismiss() { close(c.next) }
