package trunk

// Calls counts the attempts that were placed and are not forgotten.
func Calls(c *Carrier) int { return c.book.Len() }

// Running counts the calls that count for the trunk's limit.
func Running(c *Carrier) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.running
}
