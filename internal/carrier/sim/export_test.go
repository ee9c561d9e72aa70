package sim

// Calls counts the attempts that were placed and are not forgotten.
func Calls(c *Carrier) int { return c.book.Len() }

// Phones counts the phones that are remembered.
func Phones(c *Carrier) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.phones)
}
