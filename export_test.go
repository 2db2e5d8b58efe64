package licensing

// What package licensing_test sees of the inside.

// ObjectsKept returns for how many objects c keeps something.
func ObjectsKept(c *Client) int { return c.turns.Len() }
